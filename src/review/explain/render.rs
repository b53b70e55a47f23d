//! The answer for a person.

use super::Explained;
use std::fmt::Write as _;

impl Explained {
    #[must_use]
    pub fn text(&self) -> String {
        let Self { asset, rule, rule_version, shown_at, english, place, priority, .. } = self;
        let mut text = format!("{rule} for {asset} at {shown_at}: {english}\n\n");
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{:<12}{rule}, version {rule_version}, priority {priority}, {place}", "rule");
        if let Some(version) = self.version {
            let since = match self.version_since {
                Some((seq, _)) => format!("in force since {} (event {seq})", self.shown_since),
                None => "in force since before the snapshot that the replay began with".to_owned(),
            };
            let _ = writeln!(text, "{:<12}{version}, {since}", "settings");
        }
        let _ = writeln!(text, "{:<12}event {}, {}", "as of", self.seq, self.shown_seq_at);
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        for (recent, at) in self.recent.iter().zip(&self.shown_recent) {
            let _ = writeln!(text, "{:<12}{at}, event {}: {}", "decided", recent.seq, recent.what);
        }
        text
    }
}
