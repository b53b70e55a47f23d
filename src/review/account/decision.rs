//! What was decided about one rule of one asset with one event: by which version, from which values, and one plain
//! sentence in both languages.
//!
//! Records hold ids, times and reasons. The values stand in events, the words in the rule; they are put together here,
//! when somebody reads them, from the state after the event. Always the same for the same journal.

use super::value::{Language, Telling};
use crate::domain::alarm::Cause;
use crate::domain::decision::Fact;
use crate::domain::ids::{AlarmId, AssetId, PropertyName, RuleId, RuleVersion};
use crate::domain::observation::Value;
use crate::domain::task::{CancelReason, TaskStage};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, Insight};
use crate::journal::Entry;
use crate::rules::{Form, Measure, Sample};
use std::collections::BTreeMap;

/// Whose each open alarm is.
pub type AlarmsKnown = BTreeMap<AlarmId, (RuleId, AssetId)>;

/// At most so many accounts are made of one event: a registry change may end thousands of alarms.
const ACCOUNTS_MAX: usize = 64;

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub rule: RuleId,
    /// The rule that made the condition hold; none where nothing began to hold, and in older records.
    pub version: Option<RuleVersion>,
    pub asset: AssetId,
    /// The newest values the rule reads; none of those about a person.
    pub values: Vec<(PropertyName, Sample)>,
    pub personal: bool,
    pub english: String,
    pub danish: String,
}

/// The facts of one event about one rule of one asset.
#[derive(Default)]
struct Facts<'a> {
    facts: Vec<&'a Fact>,
    version: Option<RuleVersion>,
}

/// Whose the alarms are that are not settled.
#[must_use]
pub fn alarms_known(engine: &Engine) -> AlarmsKnown {
    engine.alarms().map(|alarm| (alarm.id, (alarm.rule.clone(), alarm.asset.clone()))).collect()
}

/// What was decided with `entry`; `engine` has taken it on, `known` are the alarms from before it. `telling` tells of
/// each asset kind's properties.
#[must_use]
pub fn accounts<'t>(
    engine: &Engine,
    known: &AlarmsKnown,
    entry: &Entry,
    telling: &dyn Fn(&AssetId) -> Telling<'t>,
) -> Vec<Account> {
    let mut known = known.clone();
    let mut by_rule: BTreeMap<(RuleId, AssetId), Facts<'_>> = BTreeMap::new();
    let mut tasks: BTreeMap<_, _> = engine.tasks().map(|task| (task.id, task.alarm)).collect();
    for fact in &entry.decision.facts {
        if let Fact::AlarmRaised { alarm, rule, asset, .. } = fact {
            known.insert(*alarm, (rule.clone(), asset.clone()));
        }
        if let Fact::TaskRequested { task, alarm, .. } = fact {
            tasks.insert(*task, *alarm);
        }
        let of_task = |task| tasks.get(task).and_then(|alarm| known.get(alarm)).cloned();
        let (whose, version) = match fact {
            Fact::DelayStarted { rule, asset, cause, .. }
            | Fact::ShadowRaised { rule, asset, cause }
            | Fact::AlarmRaised { rule, asset, cause, .. } => (Some((rule.clone(), asset.clone())), cause.rule_version),
            Fact::DelayCancelled { rule, asset } | Fact::ShadowEnded { rule, asset } => {
                (Some((rule.clone(), asset.clone())), None)
            }
            Fact::AlarmReactivated { alarm, cause } => (known.get(alarm).cloned(), cause.rule_version),
            Fact::ReturnedToNormal { alarm, .. }
            | Fact::Acknowledged { alarm, .. }
            | Fact::AlarmClosed { alarm }
            | Fact::TaskRequested { alarm, .. } => (known.get(alarm).cloned(), None),
            Fact::TaskOffered { task, .. }
            | Fact::TaskWaiting { task, .. }
            | Fact::OfferExpired { task, .. }
            | Fact::TaskRejected { task, .. }
            | Fact::TaskAccepted { task, .. }
            | Fact::TaskStage { task, .. }
            | Fact::TaskCompleted { task }
            | Fact::TaskCancelled { task, .. } => (of_task(task), None),
            Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => (None, None),
        };
        let Some(whose) = whose else { continue };
        if by_rule.len() == ACCOUNTS_MAX && !by_rule.contains_key(&whose) {
            continue;
        }
        let facts = by_rule.entry(whose).or_default();
        facts.facts.push(fact);
        facts.version = facts.version.or(version);
    }
    let account = |((rule, asset), facts): ((RuleId, AssetId), Facts<'_>)| {
        let insight = engine.inspect(entry.at, &asset, &rule);
        let telling = telling(&asset);
        let english = Telling { language: Language::English, ..telling };
        let danish = Telling { language: Language::Danish, ..telling };
        Account {
            version: facts.version,
            values: insight.as_ref().filter(|_| !telling.personal).map(values).unwrap_or_default(),
            personal: telling.personal,
            english: english.decided(engine, insight.as_ref(), &facts, entry.at),
            danish: danish.decided(engine, insight.as_ref(), &facts, entry.at),
            rule,
            asset,
        }
    };
    by_rule.into_iter().map(account).collect()
}

/// The newest values that a rule reads, each once.
pub(super) fn values(insight: &Insight<'_>) -> Vec<(PropertyName, Sample)> {
    let mut found: Vec<(PropertyName, Sample)> = Vec::new();
    for (_, condition) in insight.explanation.conditions() {
        condition.walk(&mut |part| {
            if let Form::Property(name, Some(sample)) = &part.form
                && !found.iter().any(|(known, _)| known == name)
            {
                found.push((name.clone(), sample.clone()));
            }
        });
    }
    found
}

impl Telling<'_> {
    /// The cause as the rule words it, the values, the next round, and what is done.
    fn decided(&self, engine: &Engine, insight: Option<&Insight<'_>>, facts: &Facts<'_>, now: Timestamp) -> String {
        let has = |like: fn(&Fact) -> bool| facts.facts.iter().any(|fact| like(fact));
        let begins = has(|fact| {
            matches!(
                fact,
                Fact::DelayStarted { .. }
                    | Fact::ShadowRaised { .. }
                    | Fact::AlarmRaised { .. }
                    | Fact::AlarmReactivated { .. }
            )
        });
        let requested = has(|fact| matches!(fact, Fact::TaskRequested { .. }));
        let mut sentences = Vec::new();
        if let Some(insight) = insight.filter(|_| begins) {
            let cause = &insight.rule.rationale.cause;
            let cause = self.words(cause.en.trim_end_matches('.'), cause.da.trim_end_matches('.'));
            let (values, round) = (self.coarse(insight), self.round(engine, insight, now).filter(|_| requested));
            let values = if values.is_empty() { String::new() } else { format!(" ({values})") };
            sentences.push(format!("{cause}{values}{}.", round.map_or_else(String::new, |round| format!("; {round}"))));
        }
        // A press raises and returns to normal in one: that is no news.
        let shadow = insight.is_some_and(|insight| insight.rule.shadow);
        let momentary = insight.is_some_and(|insight| insight.rule.momentary);
        if let Some(insight) =
            insight.filter(|_| !momentary && has(|fact| matches!(fact, Fact::ReturnedToNormal { .. })))
        {
            let values = self.coarse(insight);
            let values = if values.is_empty() { String::new() } else { format!(" ({values})") };
            sentences.push(self.words(format!("Back to normal{values}."), format!("Tilbage til det normale{values}.")));
        }
        sentences.extend(facts.facts.iter().filter_map(|fact| self.done(fact, shadow)));
        let asked_nobody = has(|fact| matches!(fact, Fact::AlarmRaised { .. } | Fact::AlarmReactivated { .. }))
            && insight.is_some_and(|insight| insight.rule.task.is_none());
        if asked_nobody {
            sentences.push(self.words("It is for the operator.", "Den er til operatøren."));
        }
        sentences.join(" ")
    }

    /// What one fact means for the people concerned.
    fn done(&self, fact: &Fact, shadow: bool) -> Option<String> {
        Some(match fact {
            Fact::DelayStarted { due, .. } => self.delayed(*due, shadow),
            Fact::DelayCancelled { .. } => {
                self.words("It did not last; nobody is called.", "Det varede ikke ved; ingen kaldes.")
            }
            Fact::ShadowRaised { .. } => self.words(
                "The rule is in shadow: it would have raised an alarm, and nobody is told.",
                "Reglen er i skygge: Den ville have rejst en alarm, og ingen får besked.",
            ),
            Fact::ShadowEnded { .. } => self.words(
                "What the rule would have raised in shadow is over.",
                "Det, reglen ville have rejst i skygge, er ophørt.",
            ),
            Fact::TaskOffered { crew, .. } => {
                self.words(format!("Sending crew {crew} the task."), format!("Sender opgaven til hold {crew}."))
            }
            Fact::TaskWaiting { retry_at, .. } => {
                let at = self.moment(*retry_at);
                self.words(
                    format!("No crew can be asked now; trying again at {at}."),
                    format!("Intet hold kan spørges nu; der prøves igen kl. {at}."),
                )
            }
            Fact::OfferExpired { crew, .. } => {
                self.words(format!("Crew {crew} did not answer."), format!("Hold {crew} svarede ikke."))
            }
            Fact::TaskRejected { crew, .. } => {
                self.words(format!("Crew {crew} said no."), format!("Hold {crew} sagde nej."))
            }
            Fact::TaskAccepted { crew, .. } => {
                self.words(format!("Crew {crew} has accepted."), format!("Hold {crew} har taget opgaven."))
            }
            Fact::TaskStage { stage: TaskStage::EnRoute, .. } => {
                self.words("The crew is on its way.", "Holdet er på vej.")
            }
            Fact::TaskStage { stage: TaskStage::OnSite, .. } => self.words("The crew is there.", "Holdet er fremme."),
            Fact::TaskStage { stage: TaskStage::Verified, .. } => {
                self.words("The sensor confirms the work.", "Sensoren bekræfter arbejdet.")
            }
            Fact::TaskCompleted { .. } => self.words("The work is reported done.", "Arbejdet er meldt udført."),
            Fact::TaskCancelled { reason, .. } => self.withdrawn(*reason),
            Fact::Acknowledged { .. } => self.words("Somebody has seen the alarm.", "Alarmen er set."),
            Fact::AlarmClosed { .. } => self.words("The alarm is closed.", "Alarmen er lukket."),
            Fact::AlarmRaised { cause: Cause { late: Some(age), .. }, .. }
            | Fact::AlarmReactivated { cause: Cause { late: Some(age), .. }, .. } => {
                self.words(format!("It was {age} old when it came."), format!("Den var {age} gammel, da den kom."))
            }
            Fact::AlarmRaised { .. }
            | Fact::AlarmReactivated { .. }
            | Fact::ReturnedToNormal { .. }
            | Fact::TaskRequested { .. }
            | Fact::TaskStage { stage: TaskStage::Offered | TaskStage::Waiting, .. }
            | Fact::DeliveryEnded { .. }
            | Fact::DeviceSilent { .. }
            | Fact::DeviceHeard { .. }
            | Fact::DeviceClockAhead { .. }
            | Fact::MeasuredLate { .. }
            | Fact::ReleasedEarly { .. } => return None,
        })
    }

    fn delayed(&self, due: Timestamp, shadow: bool) -> String {
        let due = self.moment(due);
        if shadow {
            return self.words(
                format!("The rule is in shadow: an alarm would follow at {due} if it lasts."),
                format!("Reglen er i skygge: Varer det ved, ville en alarm følge kl. {due}."),
            );
        }
        self.words(
            format!("An alarm follows at {due} if it lasts."),
            format!("Varer det ved, følger en alarm kl. {due}."),
        )
    }

    fn withdrawn(&self, reason: CancelReason) -> String {
        match reason {
            CancelReason::SolvedBeforeArrival => {
                self.words("The task is withdrawn: it is solved already.", "Opgaven trækkes tilbage: Det er løst.")
            }
            CancelReason::Operator => {
                self.words("An operator has withdrawn the task.", "En operatør har trukket opgaven tilbage.")
            }
            CancelReason::AssetRemoved | CancelReason::RuleRemoved => {
                self.words("The task is withdrawn.", "Opgaven trækkes tilbage.")
            }
            CancelReason::RuleInShadow => self.words(
                "The task is withdrawn: its rule only watches from here on.",
                "Opgaven trækkes tilbage: Reglen iagttager kun herfra.",
            ),
        }
    }

    /// The values as far as a sensor can be trusted: shares in quarters.
    fn coarse(&self, insight: &Insight<'_>) -> String {
        if self.personal {
            return String::new();
        }
        let told = values(insight).into_iter().map(|(name, sample)| {
            let number = if let Value::Number(number) = &sample.value { Some(number.get()) } else { None };
            let value = match number.and_then(|number| self.quarters(number, &Measure::Of(name.clone()))) {
                Some(quarters) => quarters,
                None => self.value(&sample.value, &name),
            };
            format!("{name} {value}")
        });
        told.chain(self.risks(&insight.explanation.when)).collect::<Vec<_>>().join(", ")
    }

    /// The next round of the asset's route.
    fn round(&self, engine: &Engine, insight: &Insight<'_>, now: Timestamp) -> Option<String> {
        let next = engine.next_service(&insight.asset.id, now)?;
        let day = Telling { at: now, ..*self }.day(next)?;
        Some(self.words(format!("next round {day}"), format!("næste runde {day}")))
    }
}
