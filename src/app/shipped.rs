//! The configuration that comes with the program: what `rettidig init` lays down and the demo runs on.

use rust_embed::RustEmbed;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[derive(RustEmbed)]
#[folder = "config/"]
#[exclude = "demo/*"]
struct Shipped;

/// The settings and the calendar of the demo, beside the shipped rules and sensor types.
#[derive(RustEmbed)]
#[folder = "config/demo/"]
#[include = "rettidig.toml"]
#[include = "calendars/*"]
struct Demo;

/// Writes the shipped configuration with the demo's settings and calendar into a folder of its own.
///
/// # Errors
/// When a folder or file cannot be written.
pub fn lay_down_demo(folder: &Path) -> io::Result<()> {
    lay_down(folder)?;
    for name in Demo::iter() {
        let Some(file) = Demo::get(&name) else { continue };
        let path = folder.join(name.as_ref());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.data)?;
    }
    Ok(())
}

/// Writes every shipped file that is not there yet; what is there is never touched. Says which were written and
/// which were left alone.
///
/// # Errors
/// When a folder or file cannot be written.
pub fn lay_down(folder: &Path) -> io::Result<LaidDown> {
    let mut laid = LaidDown::default();
    for name in Shipped::iter() {
        let Some(file) = Shipped::get(&name) else { continue };
        let path = folder.join(name.as_ref());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut written) => {
                written.write_all(&file.data)?;
                laid.written.push(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => laid.kept.push(path),
            Err(error) => return Err(error),
        }
    }
    Ok(laid)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaidDown {
    pub written: Vec<PathBuf>,
    pub kept: Vec<PathBuf>,
}
