//! Settings from the environment: they win over the file.
//!
//! The name is the path of the setting in capitals, its parts joined by two underscores after the prefix:
//! `RETTIDIG__ENDPOINT__LISTEN=0.0.0.0:1883,[::]:1883` is `listen` in `[endpoint]`, and
//! `RETTIDIG__BROKER__0__PASSWORD` is the password of the first `[[broker]]`. Lists are separated by commas.

use crate::domain::toml_reader::Override;
use smol_str::SmolStr;

/// How the names of environment variables for settings begin.
pub const PREFIX: &str = "RETTIDIG__";

/// The variables that are settings, ordered by name; all others are left alone.
pub fn overrides(environment: impl IntoIterator<Item = (String, String)>) -> Vec<Override> {
    let mut found: Vec<Override> = environment
        .into_iter()
        .filter_map(|(name, text)| {
            let path = name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".");
            Some(Override { name: SmolStr::new(&name), path, text })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The variable that would set `path`, for suggestions.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}
