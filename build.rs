//! The embedded pages: a release build must notice when `web/dist` was built after the last compilation.
//!
//! Debug builds read the folder at run time and need nothing.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PROFILE");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        // Cargo would run this again on every build while the folder it watches is missing.
        fs::create_dir_all(Path::new("web/dist"))?;
        println!("cargo::rerun-if-changed=web/dist");
    }
    Ok(())
}
