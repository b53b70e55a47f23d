//! One plain sentence about a rule at one moment: fired or not, and why.

use super::since::Since;
use super::value::Telling;
use crate::domain::alarm::Alarm;
use crate::engine::Insight;
use crate::rules::{Form, Part, Truth};

impl Telling<'_> {
    /// Whether the rule had fired, and why or why not.
    #[must_use]
    pub fn sentence(&self, insight: &Insight<'_>, since: &Since) -> String {
        if insight.rule.shadow {
            return self.in_shadow(insight, since);
        }
        let when = &insight.explanation.when;
        match (insight.alarm, insight.delay) {
            (Some(alarm), _) if insight.rule.momentary => self.moment_raised(insight, alarm, since),
            (Some(alarm), _) if alarm.active => self.active(insight, alarm, since),
            (_, Some((due, _))) => {
                let (why, due) = (self.reasons(when, since), self.moment(due));
                self.words(
                    format!("not fired yet: {why}; the alarm follows at {due} if that lasts"),
                    format!("endnu ikke udløst: {why}; alarmen følger kl. {due}, hvis det varer ved"),
                )
            }
            (Some(alarm), None) => {
                let (id, why) = (alarm.id, self.why_not(insight, since));
                let (english, danish) = if alarm.acknowledged {
                    ("a task about it was open", "en opgave om den var åben")
                } else {
                    ("nobody had seen it yet", "ingen havde set den endnu")
                };
                self.words(
                    format!("not firing: alarm {id} had returned to normal and {english}; {why}"),
                    format!("udløser ikke: alarm {id} var ophørt, og {danish}; {why}"),
                )
            }
            (None, None) => {
                let why = self.why_not(insight, since);
                self.words(format!("not fired: {why}"), format!("ikke udløst: {why}"))
            }
        }
    }

    /// Nobody is told by a rule in shadow: what it would have done.
    fn in_shadow(&self, insight: &Insight<'_>, since: &Since) -> String {
        let when = &insight.explanation.when;
        if let Some(shadow) = insight.shadow {
            let (raised_at, why) = (self.moment(shadow.raised_at), self.reasons(when, since));
            return self.words(
                format!("in shadow: would have raised an alarm at {raised_at}; {why}"),
                format!("i skygge: ville have rejst en alarm kl. {raised_at}; {why}"),
            );
        }
        if let Some((due, _)) = insight.delay {
            let (due, why) = (self.moment(due), self.reasons(when, since));
            return self.words(
                format!("in shadow: would raise an alarm at {due} if that lasts; {why}"),
                format!("i skygge: ville rejse en alarm kl. {due}, hvis det varer ved; {why}"),
            );
        }
        let why = self.why_not(insight, since);
        self.words(
            format!("in shadow: would not have fired: {why}"),
            format!("i skygge: ville ikke have udløst: {why}"),
        )
    }

    fn active(&self, insight: &Insight<'_>, alarm: &Alarm, since: &Since) -> String {
        let (id, raised_at) = (alarm.id, self.moment(alarm.raised_at));
        let when = &insight.explanation.when;
        let why = self.reasons(when, since);
        if when.truth() == Truth::True {
            return self.words(
                format!("fired: alarm {id} was raised at {raised_at}; {why}"),
                format!("udløst: alarm {id} blev rejst kl. {raised_at}; {why}"),
            );
        }
        let normal = insight.explanation.normal_when.as_ref();
        let why = normal.map_or(why, |normal| self.reasons(normal, since));
        self.words(
            format!("fired: alarm {id} was raised at {raised_at} and had not returned to normal; {why}"),
            format!("udløst: alarm {id} blev rejst kl. {raised_at} og var ikke ophørt; {why}"),
        )
    }

    fn moment_raised(&self, insight: &Insight<'_>, alarm: &Alarm, since: &Since) -> String {
        let raised_at = self.moment(alarm.raised_at);
        let (id, why) = (alarm.id, self.newest(&insight.explanation.when, since));
        self.words(
            format!("fired: alarm {id} was raised at {raised_at} by a message and waited for a person; {why}"),
            format!("udløst: alarm {id} blev rejst kl. {raised_at} af en besked og ventede på en person; {why}"),
        )
    }

    fn why_not(&self, insight: &Insight<'_>, since: &Since) -> String {
        let explanation = &insight.explanation;
        if insight.rule.momentary {
            let newest = self.newest(&explanation.when, since);
            return self.words(
                format!("the rule is judged by each message alone; {newest}"),
                format!("reglen bedømmes kun ved hver besked; {newest}"),
            );
        }
        if explanation.when.truth() == Truth::True
            && let Some(unless) = explanation.unless.as_ref().filter(|unless| unless.truth() == Truth::True)
        {
            let why = self.reasons(unless, since);
            return self.words(
                format!("`when` was true, but so was `unless`: {why}"),
                format!("`when` var sand, men det var `unless` også: {why}"),
            );
        }
        self.reasons(&explanation.when, since)
    }

    /// The newest value of each property that a condition reads.
    fn newest(&self, condition: &Part, since: &Since) -> String {
        let mut told: Vec<String> = Vec::new();
        condition.walk(&mut |part| {
            if let Form::Property(name, Some(sample)) = &part.form {
                let (value, at) = (self.value(&sample.value, name), self.moment(sample.observed_at));
                let text = self.words(
                    format!("the newest {name} was {value}, measured {at}"),
                    format!("nyeste {name} var {value}, målt {at}"),
                );
                if !told.contains(&text) {
                    told.push(text);
                }
            }
        });
        if told.is_empty() { self.reasons(condition, since) } else { told.join(&self.words(" and ", " og ")) }
    }
}
