//! The files of a configuration folder, read once and whole.
//!
//! Reading and judging are two steps, so that `check` can show the faults of every file although one of them is bad.

use super::environment::overrides;
use super::read::read_settings;
use super::settings::Settings;
use crate::domain::fault::Fault;
use crate::domain::toml_reader::Override;
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The file of settings inside the configuration folder.
pub const SETTINGS_FILE: &str = "rettidig.toml";
const SENSOR_TYPES: &str = "sensor-types";
const RULES: &str = "rules";
const CALENDARS: &str = "calendars";
/// Bytes in one file of the configuration.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files in one subfolder.
const FILES_MAX: usize = 1_000;

/// Every text of a configuration folder, by its name relative to the folder, and what the environment adds.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    folder: PathBuf,
    files: BTreeMap<SmolStr, String>,
    overrides: Vec<Override>,
    unreadable: Vec<Fault>,
}

/// A configuration whose settings are right.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// `sensor-types/em400-udl.toml` → its text.
    pub sensor_type_files: BTreeMap<SmolStr, String>,
    /// `rules/waste.toml` → its text.
    pub rule_files: BTreeMap<SmolStr, String>,
    /// `calendars/standard.toml` → its text.
    pub calendar_files: BTreeMap<SmolStr, String>,
    /// Every text that a fault may point into.
    pub texts: Texts,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path:?}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} faults in the configuration {folder:?}; `rettidig check` shows them", faults.len())]
    Faulty { folder: PathBuf, faults: Vec<Fault>, texts: Box<Texts> },
}

/// Reads a configuration folder and checks its settings.
///
/// # Errors
/// The folder or its `rettidig.toml` cannot be read, or there are faults in it; all of them are given.
pub fn load(folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    let texts = Texts::read(folder, environment)?;
    match texts.settings() {
        Ok(settings) => Ok(Loaded {
            settings,
            sensor_type_files: texts.sensor_type_files(),
            rule_files: texts.rule_files(),
            calendar_files: texts.calendar_files(),
            texts,
        }),
        Err(faults) => Err(ConfigError::Faulty { folder: folder.to_owned(), faults, texts: Box::new(texts) }),
    }
}

impl ConfigError {
    /// Whether the same call may succeed later without anyone mending a file.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::Faulty { .. } => false,
        }
    }
}

impl Texts {
    /// Reads every file of the folder; a file that is too long or no text becomes a fault of the settings.
    ///
    /// # Errors
    /// The folder, a subfolder or `rettidig.toml` cannot be read.
    pub fn read(folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut texts = Self { folder: folder.to_owned(), overrides: overrides(environment), ..Self::default() };
        texts.add(SmolStr::new_static(SETTINGS_FILE), &folder.join(SETTINGS_FILE))?;
        for subfolder in [SENSOR_TYPES, RULES, CALENDARS] {
            for (name, path) in toml_files(&folder.join(subfolder))? {
                texts.add(format_smolstr!("{subfolder}/{name}"), &path)?;
            }
        }
        Ok(texts)
    }

    /// The settings, or every fault in them.
    ///
    /// # Errors
    /// Faults in `rettidig.toml` and the environment, and files that could not be read as text.
    pub fn settings(&self) -> Result<Settings, Vec<Fault>> {
        let text = self.files.get(SETTINGS_FILE).map_or("", String::as_str);
        match read_settings(&self.folder, SETTINGS_FILE, text, &self.overrides) {
            Ok(settings) if self.unreadable.is_empty() => Ok(settings),
            Ok(_) => Err(self.unreadable.clone()),
            Err(faults) => Err(self.unreadable.iter().cloned().chain(faults).collect()),
        }
    }

    #[must_use]
    pub fn sensor_type_files(&self) -> BTreeMap<SmolStr, String> {
        self.under(SENSOR_TYPES)
    }

    #[must_use]
    pub fn rule_files(&self) -> BTreeMap<SmolStr, String> {
        self.under(RULES)
    }

    #[must_use]
    pub fn calendar_files(&self) -> BTreeMap<SmolStr, String> {
        self.under(CALENDARS)
    }

    /// The text a fault points into, byte for byte but with passwords starred out; `None` for an environment variable,
    /// whose value is never shown.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<String> {
        self.files.get(file).map(|text| text.split_inclusive('\n').map(without_password).collect())
    }

    fn under(&self, subfolder: &str) -> BTreeMap<SmolStr, String> {
        let inside = |name: &SmolStr| name.strip_prefix(subfolder).is_some_and(|rest| rest.starts_with('/'));
        self.files.iter().filter(|(name, _)| inside(name)).map(|(name, text)| (name.clone(), text.clone())).collect()
    }

    fn add(&mut self, name: SmolStr, path: &Path) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_BYTES_MAX {
            self.refuse(name, format!("the file is {length} bytes long"), format!("at most {FILE_BYTES_MAX} bytes"));
            return Ok(());
        }
        match String::from_utf8(fs::read(path).map_err(unreadable)?) {
            Ok(text) => drop(self.files.insert(name, text)),
            Err(error) => self.refuse(
                name,
                format!("the file is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()),
                "save it as UTF-8".to_owned(),
            ),
        }
        Ok(())
    }

    fn refuse(&mut self, file: SmolStr, message: String, suggestion: String) {
        self.unreadable.push(Fault { file, span: 0..0, message, suggestion: Some(suggestion) });
    }
}

/// A line as it may be shown: what follows `password =`, and what stands in an address between login and host, becomes
/// as many stars as it has bytes.
fn without_password(line: &str) -> String {
    const KEY: &str = "password";
    let login = line.find("://").map(|at| at + 3);
    let colon = login.and_then(|login| Some(login + line[login..].find(':')? + 1));
    if let (Some(start), Some(end)) = (colon, line.rfind('@'))
        && start < end
    {
        return format!("{}{}{}", &line[..start], "*".repeat(end - start), without_password(&line[end..]));
    }
    let value = line.match_indices(KEY).find_map(|(at, _)| {
        let rest = line[at + KEY.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        rest.starts_with('=').then_some(line.len() - rest.len() + 1)
    });
    let Some(start) = value else { return line.to_owned() };
    let starred = |character: char| match character {
        ' ' | '\r' | '\n' => character.to_string(),
        other => "*".repeat(other.len_utf8()),
    };
    line[..start].chars().map(String::from).chain(line[start..].chars().map(starred)).collect()
}

/// The `.toml` files of a folder, ordered by name; a folder that is not there has none.
fn toml_files(folder: &Path) -> Result<BTreeMap<SmolStr, PathBuf>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let hidden = name.starts_with('.');
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.insert(SmolStr::new(name), path);
        }
        if files.len() > FILES_MAX {
            return Err(unreadable(io::Error::other(format!("more than {FILES_MAX} files"))));
        }
    }
    Ok(files)
}
