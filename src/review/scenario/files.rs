//! The scenario files of a configuration folder: `rules/scenarios/*.toml`.
//!
//! They stand in a folder of their own, so that they are no part of the configuration: changing one changes no rule.

use crate::domain::fault::{Fault, suggest_known};
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};
use thiserror::Error;

/// Inside the configuration folder.
pub const FOLDER: &str = "rules/scenarios";
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const FILES_MAX: usize = 1_000;

#[derive(Debug, Error)]
pub enum ScenarioError {
    #[error("cannot read the scenarios in {path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("there is no scenario in {folder:?}; config/rules/README.md shows how one is written")]
    None { folder: PathBuf },
    #[error("no scenario has \"{asked}\" in its name; {}", suggest_known(asked, names.iter().map(String::as_str)))]
    NoneSo { asked: String, names: Vec<String> },
}

impl ScenarioError {
    /// Whether the same call may succeed later without anyone mending a file.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::None { .. } | Self::NoneSo { .. } => false,
        }
    }
}

/// The texts by name; a file that is too long or no text is a fault.
pub(super) fn read(folder: &Path) -> Result<(BTreeMap<SmolStr, String>, Vec<Fault>), ScenarioError> {
    let within = folder.join(FOLDER);
    let unreadable = |source| ScenarioError::Unreadable { path: within.clone(), source };
    let entries = match fs::read_dir(&within) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Err(ScenarioError::None { folder: within }),
        Err(fault) => return Err(unreadable(fault)),
    };
    let (mut texts, mut faults) = (BTreeMap::new(), Vec::new());
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || path.extension().is_none_or(|end| end != "toml") || !path.is_file() {
            continue;
        }
        if texts.len() + faults.len() >= FILES_MAX {
            return Err(unreadable(io::Error::other(format!("more than {FILES_MAX} files"))));
        }
        let file = format_smolstr!("{FOLDER}/{name}");
        match text(&path).map_err(unreadable)? {
            Ok(text) => drop(texts.insert(file, text)),
            Err((message, suggestion)) => {
                faults.push(Fault { file, span: 0..0, message, suggestion: Some(suggestion.to_owned()) });
            }
        }
    }
    if texts.is_empty() && faults.is_empty() {
        Err(ScenarioError::None { folder: within })
    } else {
        Ok((texts, faults))
    }
}

fn text(path: &Path) -> io::Result<Result<String, (String, &'static str)>> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        let suggestion = "put its scenarios into several files";
        return Ok(Err((format!("the file is {length} bytes long, at most {FILE_BYTES_MAX}"), suggestion)));
    }
    Ok(String::from_utf8(fs::read(path)?).map_err(|fault| {
        let from = fault.utf8_error().valid_up_to();
        (format!("the file is not UTF-8 from byte {from} on"), "save it as UTF-8")
    }))
}
