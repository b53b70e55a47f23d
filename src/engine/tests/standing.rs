//! Whose rules are in force: the engine believes no second person who has nothing to approve.

use super::script::configuration;
use crate::domain::configuration::{Configuration, Mandate};
use crate::domain::decision::Decision;
use crate::domain::event::{Command, CommandKind, Event, ProposedRules};
use crate::domain::ids::CommandId;
use crate::domain::reason::{Refusal, RulesRejected, Verdict};
use crate::domain::time::{Span, Timestamp};
use crate::engine::{Engine, Limits};

/// An engine, and another that takes on its records.
struct Pair {
    decides: Engine,
    applies: Engine,
}

impl Pair {
    fn new() -> Self {
        Self { decides: Engine::new(Limits::default()), applies: Engine::new(Limits::default()) }
    }

    fn happens(&mut self, event: &Event) -> Verdict {
        let now = Timestamp::from_micros(0) + Span::from_mins(i64::try_from(self.decides.seq().0).unwrap());
        let decision: Decision = self.decides.step(now, event);
        self.applies.apply(now, event, &decision);
        assert_eq!(self.decides.image(), self.applies.image(), "{event:?}");
        let image = self.decides.image();
        assert_eq!(Engine::restore(Limits::default(), image.clone()).image(), image);
        decision.verdict
    }

    fn configured(&mut self, configuration: &Configuration) -> Verdict {
        self.happens(&Event::Configured(Box::new(configuration.clone())))
    }

    fn asked(&mut self, account: &str, kind: CommandKind) -> Verdict {
        let id = CommandId::new(format!("command-{}", self.decides.seq()));
        self.happens(&Event::Commanded(Command { id, account: account.into(), kind }))
    }

    fn proposed(&mut self, account: &str, configuration: &Configuration) -> Verdict {
        let rules = ProposedRules { version: configuration.rules_version(), changes: Vec::new(), further: 0 };
        self.asked(account, CommandKind::ProposeRules(rules))
    }
}

/// With one more rule file of this name.
fn with(name: &str, by: &str, approved_by: Option<&str>) -> Configuration {
    let mut changed = configuration();
    let text = format!(
        "[[rule]]\nid = '{name}'\napplies_to = 'bin'\nwhen = 'tilt'\npriority = 4\nowner = 'o'\nrespond_within = '1d'\n\
         cause = {{ en = 'c', da = 'c' }}\nconsequence = {{ en = 'c', da = 'c' }}\nresponse = {{ en = 'r', da = 'r' }}\n"
    );
    changed.rule_files.insert(format!("{name}.toml").into(), text);
    changed.mandate = Mandate { by: Some(by.into()), approved_by: approved_by.map(Into::into), in_place_of: None };
    changed
}

#[test]
fn two_names_stand_under_rules_only_after_a_proposal_by_another_of_exactly_these() {
    let mut pair = Pair::new();
    let refused = Verdict::Refused;
    assert_eq!(pair.configured(&configuration()), Verdict::Accepted);
    assert_eq!(pair.configured(&with("a", "ida", Some("ole"))), refused(Refusal::NothingProposed));
    assert_eq!(pair.proposed("ida", &with("a", "ida", None)), Verdict::Accepted);
    assert_eq!(pair.configured(&with("b", "ida", Some("ole"))), refused(Refusal::NothingProposed), "other files");
    assert_eq!(pair.configured(&with("a", "per", Some("ole"))), refused(Refusal::NothingProposed), "by somebody else");
    assert_eq!(pair.configured(&with("a", "ida", Some("ida"))), refused(Refusal::SamePerson));
    let standing = pair.decides.standing().clone();
    assert!(standing.proposal.is_some() && standing.former.is_none());
    assert_eq!(pair.configured(&with("a", "ida", Some("ole"))), Verdict::Accepted);
    let standing = pair.decides.standing().clone();
    assert_eq!(standing.proposal, None);
    assert_eq!(standing.former.unwrap().rule_files, configuration().rule_files);
    // The same rules with other calendars or sensor types keep their names.
    assert_eq!(pair.configured(&with("a", "ida", Some("ole"))), Verdict::Accepted);
}

#[test]
fn a_step_back_is_kept_through_a_step_forward_and_leaves_a_proposal_as_it_is() {
    let mut pair = Pair::new();
    pair.configured(&configuration());
    pair.configured(&with("a", "ida", None));
    assert_eq!(pair.proposed("ida", &with("b", "ida", None)), Verdict::Accepted);
    for _ in 0..3 {
        let former = pair.decides.standing().former.clone().unwrap();
        let (files, in_force) = (former.rule_files.clone(), pair.decides.configuration().unwrap().clone());
        let back = Configuration { rule_files: files, mandate: Mandate::default(), ..in_force.clone() };
        assert_eq!(pair.configured(&back), Verdict::Accepted);
        assert_eq!(pair.decides.standing().former.as_ref().unwrap().rule_files, in_force.rule_files);
        assert!(pair.decides.standing().proposal.is_some());
    }
    let version = with("b", "ida", None).rules_version();
    let reject = |version| CommandKind::RejectRules { version, reason: RulesRejected::Mistake };
    let unknown = pair.asked("ole", reject(configuration().rules_version()));
    assert_eq!(unknown, Verdict::Refused(Refusal::NothingProposed));
    assert_eq!(pair.asked("ole", reject(version)), Verdict::Accepted);
    assert_eq!(pair.decides.standing().rejection.as_ref().unwrap().by, "ole".into());
    assert_eq!(pair.asked("ole", reject(version)), Verdict::Refused(Refusal::NothingProposed), "once");
}
