//! Which rules are in force since when, which were before, and which wait for a second person.
//!
//! All of it follows from events: what is in force from `Configured`, what waits from commands. One step back is kept,
//! and one proposal; whatever comes later takes their place.

use super::state::Engine;
use crate::domain::configuration::{Configuration, Mandate};
use crate::domain::event::{Command, CommandKind, ProposedRules};
use crate::domain::ids::{AccountId, RulesVersion, Seq};
use crate::domain::reason::{Refusal, RulesRejected, Verdict};
use crate::domain::time::Timestamp;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// An event and its time.
type Moment = (Seq, Timestamp);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when the rules in force are; none when that was before it was kept.
    pub since: Option<Moment>,
    pub former: Option<Box<FormerRules>>,
    pub proposal: Option<Box<Proposal>>,
    /// What was rejected last, while nothing was proposed after it.
    pub rejection: Option<Rejection>,
}

/// The rules that were in force before those that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerRules {
    pub rule_files: BTreeMap<SmolStr, String>,
    pub mandate: Mandate,
    pub since: Option<Moment>,
}

/// Rules that wait for a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub rules: ProposedRules,
    pub by: AccountId,
    pub at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub version: RulesVersion,
    pub reason: RulesRejected,
    pub by: AccountId,
    pub at: Moment,
}

impl Engine {
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Rules with the name of a second person under them: somebody else must have proposed exactly these. Those that
    /// are in force already, or were before, had their approval.
    pub(super) fn check_mandate(&self, configuration: &Configuration) -> Result<(), Refusal> {
        let Mandate { by, approved_by: Some(approver), .. } = &configuration.mandate else { return Ok(()) };
        let former = self.standing.former.as_deref().map(|former| &former.rule_files);
        let in_force = self.configuration.as_deref().map(|known| &known.rule_files);
        if [in_force, former].contains(&Some(&configuration.rule_files)) {
            return Ok(());
        }
        let version = configuration.rules_version();
        let proposal = self.standing.proposal.as_deref().filter(|proposal| proposal.rules.version == version);
        match proposal {
            Some(proposal) if proposal.by == *approver => Err(Refusal::SamePerson),
            Some(proposal) if by.as_ref() == Some(&proposal.by) => Ok(()),
            Some(_) | None => Err(Refusal::NothingProposed),
        }
    }

    /// Notes what comes into force, before it does.
    pub(super) fn take_over_rules(&mut self, now: Timestamp, configuration: &Configuration) {
        let now = (self.seq.next(), now);
        let Some(before) = self.configuration.as_deref() else {
            self.standing.since = Some(now);
            return;
        };
        if before.rule_files == configuration.rule_files {
            return;
        }
        let former = FormerRules {
            rule_files: before.rule_files.clone(),
            mandate: before.mandate.clone(),
            since: self.standing.since.replace(now),
        };
        let former = self.standing.former.replace(Box::new(former));
        // A step back, or forward again, leaves what waits as it is.
        let stepped = former.is_some_and(|former| former.rule_files == configuration.rule_files);
        let version = configuration.rules_version();
        self.standing.proposal =
            self.standing.proposal.take().filter(|proposal| stepped && proposal.rules.version != version);
        if !stepped {
            self.standing.rejection = None;
        }
    }

    pub(super) fn check_proposal(&self, kind: &CommandKind) -> Verdict {
        let waits = |version: &RulesVersion| {
            self.standing.proposal.as_deref().is_some_and(|proposal| proposal.rules.version == *version)
        };
        let refusal = match kind {
            CommandKind::ProposeRules(rules) if rules.changes.len() > ProposedRules::CHANGES_MAX => {
                Some(Refusal::LimitReached)
            }
            CommandKind::RejectRules { version, .. } if !waits(version) => Some(Refusal::NothingProposed),
            CommandKind::ProposeRules(_)
            | CommandKind::RejectRules { .. }
            | CommandKind::AcknowledgeAlarm(_)
            | CommandKind::CancelTask(_) => None,
        };
        refusal.map_or(Verdict::Accepted, Verdict::Refused)
    }

    /// Takes on what an accepted command says about proposed rules.
    pub(super) fn follow_proposal(&mut self, at: Moment, command: &Command) {
        let by = command.account.clone();
        match &command.kind {
            CommandKind::ProposeRules(rules) => {
                self.standing.proposal = Some(Box::new(Proposal { rules: rules.clone(), by, at }));
                self.standing.rejection = None;
            }
            CommandKind::RejectRules { version, reason } => {
                self.standing.proposal = None;
                self.standing.rejection = Some(Rejection { version: *version, reason: *reason, by, at });
            }
            CommandKind::AcknowledgeAlarm(_) | CommandKind::CancelTask(_) => {}
        }
    }
}
