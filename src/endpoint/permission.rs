//! Topic filters: which topics a filter means, and whether one filter lies inside another.
//!
//! MQTT 5 chapter 4.7: `+` stands for one level, `#` for all that follow, and a filter that begins with a wildcard
//! does not see topics that begin with `$`. Shared subscriptions are not filters of this endpoint.

use smol_str::SmolStr;
use std::fmt;

/// A valid topic filter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicFilter(SmolStr);

/// Why a text is no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("a topic filter must have 1 to 65535 bytes and no null character")]
    Length,
    #[error("\"#\" must be a level of its own, and the last one")]
    ManyLevels,
    #[error("\"+\" must be a level of its own")]
    OneLevel,
    #[error("shared subscriptions are not served")]
    Shared,
}

impl TopicFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When a wildcard stands where MQTT does not allow it, or for a shared subscription.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.is_empty() || text.len() > usize::from(u16::MAX) || text.contains('\0') {
            return Err(FilterError::Length);
        }
        if text == "$share" || text.starts_with("$share/") {
            return Err(FilterError::Shared);
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(FilterError::ManyLevels);
            }
            if level.contains('+') && level != "+" {
                return Err(FilterError::OneLevel);
            }
        }
        Ok(Self(SmolStr::new(text)))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message on `topic` belongs to this filter.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        self.covers_levels(topic)
    }

    /// Whether every topic of `inner` is also one of this filter.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        self.covers_levels(&inner.0)
    }

    /// A topic is a filter without wildcards, so that one walk answers both questions.
    fn covers_levels(&self, inner: &str) -> bool {
        if inner.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut inner = inner.split('/');
        for level in self.0.split('/') {
            if level == "#" {
                // Also when `inner` has ended: `a/#` means `a` too.
                return true;
            }
            match inner.next() {
                Some("#") | None => return false,
                Some(wanted) if level == "+" || level == wanted => {}
                Some(_) => return false,
            }
        }
        inner.next().is_none()
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    #[test]
    fn the_examples_of_the_standard_hold() {
        for (text, yes, no) in [
            ("a/b", &["a/b"][..], &["a", "a/b/c", "/a/b", "A/b", "a/bb", "a/b/"][..]),
            ("sport/+/player1", &["sport/tennis/player1", "sport//player1"], &["sport/player1", "sport/a/b/player1"]),
            ("sport/tennis/#", &["sport/tennis", "sport/tennis/", "sport/tennis/a/b"], &["sport", "sport/tennisx"]),
            ("#", &["a", "a/b", "/"], &["$SYS", "$SYS/a"]),
            ("+", &["a", ""], &["a/", "/a", "$SYS"]),
            ("+/+", &["/finance", "a/"], &["finance", "$SYS/a"]),
            ("/+", &["/finance"], &["finance", "/a/b"]),
            ("$SYS/#", &["$SYS", "$SYS/a"], &["SYS/a"]),
            ("+/#", &["a", "a/b"], &["$SYS", "$SYS/a"]),
        ] {
            for topic in yes {
                assert!(filter(text).matches(topic), "{text} must match {topic}");
            }
            for topic in no {
                assert!(!filter(text).matches(topic), "{text} must not match {topic}");
            }
        }
    }

    #[test]
    fn a_permission_covers_what_lies_inside_it_only() {
        for (outer, inner, expected) in [
            ("rettidig/v1/crew/7/tasks", "rettidig/v1/crew/7/tasks", true),
            ("rettidig/v1/crew/7/tasks", "rettidig/v1/crew/+/tasks", false),
            ("rettidig/v1/crew/7/tasks", "#", false),
            ("rettidig/v1/crew/7/#", "rettidig/v1/crew/7/tasks", true),
            ("rettidig/v1/crew/7/#", "rettidig/v1/crew/7", true),
            ("rettidig/v1/crew/7/#", "rettidig/v1/crew/#", false),
            ("a/+/c", "a/+/c", true),
            ("a/+/c", "a/#", false),
            ("a/+", "a/#", false),
            ("#", "a/+/#", true),
            ("#", "$SYS/#", false),
            ("+/a", "$SYS/a", false),
        ] {
            assert_eq!(filter(outer).covers(&filter(inner)), expected, "{outer} covers {inner}");
        }
    }

    #[test]
    fn misplaced_wildcards_are_no_filters() {
        for text in ["", "a#", "a/#/b", "#/a", "a+", "a/+b/c", "++", "##", "a\0b"] {
            assert!(TopicFilter::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(TopicFilter::parse("$share/crew/a"), Err(FilterError::Shared));
        assert!(TopicFilter::parse("$shared").is_ok());
    }

    proptest! {
        #[test]
        fn what_an_inner_filter_matches_its_cover_matches(
            outer in "[ab$+#]?(/[ab+#]){0,3}", inner in "[ab$+#]?(/[ab+#]){0,3}", topic in "[ab$]?(/[ab]){0,3}",
        ) {
            if let (Ok(outer), Ok(inner)) = (TopicFilter::parse(&outer), TopicFilter::parse(&inner)) {
                if outer.covers(&inner) && inner.matches(&topic) {
                    prop_assert!(outer.matches(&topic), "{outer} {inner} {topic}");
                }
                prop_assert!(inner.covers(&inner) || inner.as_str().starts_with('$'), "{inner}");
            }
        }
    }
}
