//! By whom rules are in force, what they replaced and what waits for a second person, in records and in snapshots.

use super::configuration::RuleFile;
use super::reason::{RuleBecameCode, RulesRejectedCode};
use crate::domain::configuration;
use crate::domain::event;
use crate::domain::ids::{AccountId, RuleId, RulesVersion, Seq};
use crate::domain::time::Timestamp;
use crate::engine;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct Mandate<'a> {
    #[b(0)]
    by: Option<&'a str>,
    #[b(1)]
    approved_by: Option<&'a str>,
    #[n(2)]
    in_place_of: Option<ByteArray<16>>,
}

#[derive(Encode, Decode)]
pub struct ProposedRules<'a> {
    #[cbor(n(0), with = "minicbor::bytes")]
    version: [u8; 16],
    #[b(1)]
    changes: Vec<(&'a str, RuleBecameCode)>,
    #[n(2)]
    further: u32,
}

/// In a snapshot.
#[derive(Encode, Decode)]
pub struct Standing<'a> {
    #[n(0)]
    since: Option<Moment>,
    #[b(1)]
    former: Option<Former<'a>>,
    #[b(2)]
    proposal: Option<Proposal<'a>>,
    #[b(3)]
    rejection: Option<Rejection<'a>>,
}

#[derive(Encode, Decode)]
struct Former<'a> {
    #[b(0)]
    rule_files: Vec<RuleFile<'a>>,
    #[b(1)]
    mandate: Option<Mandate<'a>>,
    #[n(2)]
    since: Option<Moment>,
}

#[derive(Encode, Decode)]
struct Proposal<'a> {
    #[b(0)]
    rules: ProposedRules<'a>,
    #[b(1)]
    by: &'a str,
    #[n(2)]
    at: Moment,
}

#[derive(Encode, Decode)]
struct Rejection<'a> {
    #[cbor(n(0), with = "minicbor::bytes")]
    version: [u8; 16],
    #[n(1)]
    reason: RulesRejectedCode,
    #[b(2)]
    by: &'a str,
    #[n(3)]
    at: Moment,
}

/// An event and its time.
#[derive(Encode, Decode)]
struct Moment {
    #[n(0)]
    seq: u64,
    #[n(1)]
    at: i64,
}

impl<'a> Mandate<'a> {
    pub fn unless_empty(mandate: &'a configuration::Mandate) -> Option<Self> {
        (*mandate != configuration::Mandate::default()).then(|| Self {
            by: mandate.by.as_ref().map(AccountId::as_str),
            approved_by: mandate.approved_by.as_ref().map(AccountId::as_str),
            in_place_of: mandate.in_place_of.map(|version| version.0.into()),
        })
    }
}

impl From<Mandate<'_>> for configuration::Mandate {
    fn from(wire: Mandate<'_>) -> Self {
        Self {
            by: wire.by.map(Into::into),
            approved_by: wire.approved_by.map(Into::into),
            in_place_of: wire.in_place_of.map(|version| RulesVersion(version.into())),
        }
    }
}

impl<'a> From<&'a event::ProposedRules> for ProposedRules<'a> {
    fn from(proposed: &'a event::ProposedRules) -> Self {
        let change = |(rule, became): &'a (RuleId, _)| (rule.as_str(), RuleBecameCode::from(*became));
        Self {
            version: proposed.version.0,
            changes: proposed.changes.iter().map(change).collect(),
            further: proposed.further,
        }
    }
}

impl From<ProposedRules<'_>> for event::ProposedRules {
    fn from(wire: ProposedRules<'_>) -> Self {
        Self {
            version: RulesVersion(wire.version),
            changes: wire.changes.into_iter().map(|(rule, became)| (rule.into(), became.into())).collect(),
            further: wire.further,
        }
    }
}

impl<'a> Standing<'a> {
    pub fn unless_empty(standing: &'a engine::Standing) -> Option<Self> {
        (*standing != engine::Standing::default()).then(|| Self {
            since: standing.since.map(Into::into),
            former: standing.former.as_deref().map(|former| Former {
                rule_files: RuleFile::all(&former.rule_files),
                mandate: Mandate::unless_empty(&former.mandate),
                since: former.since.map(Into::into),
            }),
            proposal: standing.proposal.as_deref().map(|proposal| Proposal {
                rules: (&proposal.rules).into(),
                by: proposal.by.as_str(),
                at: proposal.at.into(),
            }),
            rejection: standing.rejection.as_ref().map(|rejection| Rejection {
                version: rejection.version.0,
                reason: rejection.reason.into(),
                by: rejection.by.as_str(),
                at: rejection.at.into(),
            }),
        })
    }
}

impl From<Standing<'_>> for engine::Standing {
    fn from(wire: Standing<'_>) -> Self {
        let former = wire.former.map(|former| engine::FormerRules {
            rule_files: RuleFile::texts(former.rule_files),
            mandate: former.mandate.map(Into::into).unwrap_or_default(),
            since: former.since.map(Into::into),
        });
        let proposal = wire.proposal.map(|proposal| engine::Proposal {
            rules: proposal.rules.into(),
            by: proposal.by.into(),
            at: proposal.at.into(),
        });
        let rejection = wire.rejection.map(|rejection| engine::Rejection {
            version: RulesVersion(rejection.version),
            reason: rejection.reason.into(),
            by: rejection.by.into(),
            at: rejection.at.into(),
        });
        Self {
            since: wire.since.map(Into::into),
            former: former.map(Box::new),
            proposal: proposal.map(Box::new),
            rejection,
        }
    }
}

impl From<(Seq, Timestamp)> for Moment {
    fn from((seq, at): (Seq, Timestamp)) -> Self {
        Self { seq: seq.0, at: at.as_micros() }
    }
}

impl From<Moment> for (Seq, Timestamp) {
    fn from(wire: Moment) -> Self {
        (Seq(wire.seq), Timestamp::from_micros(wire.at))
    }
}
