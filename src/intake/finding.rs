//! One thing `doctor` found out about a broker, and what to do about it.

/// How good or bad a finding is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It could not be found out.
    Unknown,
    /// Slower or less safe than it could be.
    Warning,
    /// Messages can be lost or seen by others, or nothing works at all.
    Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// What was looked at: a setting by its name, or a few words. The same in every run.
    pub subject: &'static str,
    pub text: String,
    /// What to change, where something can be.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, subject, text: text.into(), remedy: None }
    }

    pub(super) fn bad(
        verdict: Verdict,
        subject: &'static str,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict, subject, text: text.into(), remedy: Some(remedy.into()) }
    }
}
