//! Rules of before, and rules that wait: back one step, and the second person's yes or no.
//!
//! Accounts are checked by the vault, with its pause after wrong passwords. What comes into force is an event with its
//! content in every case, and the files on disk are never written.

use super::alarms::ACCOUNT;
use super::backend::{Backend, Running, blocking, vault_failure};
use super::reload::{Found, find, put_in_force, shown, tell, with_note};
use super::wire::{
    Credentials, Failure, FailureKind, FaultRow, ProposalRow, RejectionRow, Response, RuleInForce, RulesInForce,
    RulesShown, written,
};
use crate::app::foundation::random_bytes;
use crate::app::mandate::{self, short};
use crate::config::{Approval, Loaded};
use crate::domain::configuration::{Mandate, rules_version};
use crate::domain::event::{Command, CommandKind, Event, ProposedRules};
use crate::domain::fault::Fault;
use crate::domain::ids::{AccountId, CommandId, RulesVersion, Seq};
use crate::domain::reason::{RuleBecame, RulesRejected, Verdict};
use crate::domain::time::Timestamp;
use crate::engine::{Engine, Proposal};
use crate::rules::{Became, Rule};
use crate::vault::{Attempt, Role};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Digits of a version that are enough to name it.
const DIGITS_MIN: usize = 8;

/// The account, when its password is right and it may change rules.
pub(super) async fn may_change_rules(running: &Running, credentials: Credentials) -> Result<AccountId, Failure> {
    let (vault, now) = (running.vault.clone(), running.clock.now());
    let Credentials { account, password } = credentials;
    let id = AccountId::new(&account);
    let attempt = blocking(move || vault.verify(&id, &password, now)).await?.map_err(|error| vault_failure(&error))?;
    match attempt {
        Attempt::Accepted(known) if [Role::Admin, Role::Integrator].into_iter().any(|role| known.may(role, None)) => {
            Ok(known.id)
        }
        Attempt::Accepted(_) => Err(Failure::refused(format!(
            "account \"{account}\" may not change rules: that needs the role integrator or admin, not for one area only; \
             nothing was changed"
        ))),
        Attempt::Denied => Err(Failure::refused(format!(
            "there is no account \"{account}\" with this password; `rettidig user list` shows the accounts, and nothing \
             was changed"
        ))),
        Attempt::Locked { until } => Err(Failure::refused(format!(
            "account \"{account}\" is locked until {} after too many wrong passwords; nothing was changed",
            written(until)
        ))),
    }
}

/// The files differ from the rules in force, and a second person is asked for: they wait for one.
pub(super) async fn propose(
    running: &Running,
    found: Found,
    by: Option<AccountId>,
    needs_restart: Vec<String>,
) -> Result<Response, Failure> {
    let files = found.files.configuration.rules_version();
    let changes = found.files.rules.changes_from(&found.rules);
    let Some(by) = by else {
        let text = format!(
            "the rule files, {}, are not those in force, and changed rules need a second person: `rettidig reload --as \
             ACCOUNT` proposes them; nothing was changed",
            short(files)
        );
        return Err(Failure::refused(text));
    };
    let became = |became: &Became| match became {
        Became::New => RuleBecame::New,
        Became::Removed => RuleBecame::Removed,
        Became::Changed { .. } => RuleBecame::Changed,
    };
    let told = changes.iter().take(ProposedRules::CHANGES_MAX);
    let proposed = ProposedRules {
        version: files,
        changes: told.map(|change| (change.rule.clone(), became(&change.became))).collect(),
        further: u32::try_from(changes.len().saturating_sub(ProposedRules::CHANGES_MAX)).unwrap_or(u32::MAX),
    };
    command(running, by, CommandKind::ProposeRules(proposed)).await?;
    let told = tell(running, files).await?;
    let mut response = shown(&found.rules, &found.files, true, needs_restart);
    if let Response::Reloaded { changed, version, proposed, .. } = &mut response {
        (*changed, *proposed) = (false, true);
        *version = found.configuration.map_or(String::new(), |known| known.version.to_string());
    }
    Ok(with_note(response, told))
}

/// The second person agrees: the files, which must be those that were proposed, come into force.
pub(super) async fn approve(running: &Running, version: &str, credentials: Credentials) -> Result<Response, Failure> {
    let account = may_change_rules(running, credentials).await?;
    let found = find(running).await?;
    let proposal = waiting(found.standing.proposal.as_deref(), version)?;
    if proposal.by == account {
        let text =
            format!("\"{account}\" has proposed these rules: a second person approves them; nothing was changed");
        return Err(Failure::refused(text));
    }
    let files = found.files.configuration.rules_version();
    if files != proposal.rules.version {
        let text = format!(
            "the rule files are not those that were proposed: they are {} by now; `rettidig reload --as ACCOUNT` proposes \
             these, and nothing was changed",
            short(files)
        );
        return Err(Failure::refused(text));
    }
    let mut assembly = found.files.clone();
    assembly.configuration.mandate =
        Mandate { by: Some(proposal.by.clone()), approved_by: Some(account.clone()), in_place_of: None };
    let response = shown(&found.rules, &assembly, true, Vec::new());
    put_in_force(running, assembly).await?;
    let told = tell(running, files).await?;
    let named = format!("proposed by {}, approved by {account}", proposal.by);
    Ok(with_note(response, Some(told.map_or_else(|| named.clone(), |told| format!("{named}; {told}")))))
}

/// What waits is not to come into force.
pub(super) async fn reject(
    running: &Running,
    version: &str,
    reason: &str,
    credentials: Credentials,
) -> Result<Response, Failure> {
    let known = RulesRejected::ALL.into_iter().find(|known| known.as_str() == reason);
    let names = || RulesRejected::ALL.map(RulesRejected::as_str).join(", ");
    let reason = known.ok_or_else(|| Failure::refused(format!("the reason \"{reason}\" is not one of {}", names())))?;
    let account = may_change_rules(running, credentials).await?;
    let look = |engine: &Engine| engine.standing().proposal.as_deref().cloned();
    let proposal = running.handle.look(look).await.map_err(|_| Failure::stopping())?;
    let version = waiting(proposal.as_ref(), version)?.rules.version;
    let seq = command(running, account, CommandKind::RejectRules { version, reason }).await?;
    if let Ok(found) = find(running).await {
        tell(running, found.files.configuration.rules_version()).await?;
    } else {
        running.reload.notice.set(None);
    }
    let text = format!("rules {} are withdrawn: {}; those in force stay", short(version), reason.as_str());
    Ok(Response::Done { text, seq: Some(seq.0) })
}

/// Back to the rules that were in force before, or forward again. They were approved when they came into force first.
pub(super) async fn roll_back(running: &Running, credentials: Option<Credentials>) -> Result<Response, Failure> {
    let by = match credentials {
        Some(credentials) => may_change_rules(running, credentials).await?,
        None if running.reload.settings.rules.approval == Approval::SecondPerson => {
            let text = "changed rules need a name: `rettidig rules rollback --as ACCOUNT`; one person is enough, because \
                        they were approved before";
            return Err(Failure::refused(text));
        }
        None => AccountId::new(ACCOUNT),
    };
    let found = find(running).await?;
    let (Some(former), Some(in_force)) = (found.standing.former.as_deref(), &found.configuration) else {
        return Err(Failure::refused("no rules were in force before these; nothing was changed"));
    };
    let (loaded, now, files) = (found.loaded.clone(), running.clock.now(), former.rule_files.clone());
    let assembled = blocking(move || mandate::with_rules(&loaded, files, now)).await?;
    let mut assembly = assembled.map_err(|faults| unfit(&found.loaded, &former.rule_files, &faults))?;
    let version = rules_version(&former.rule_files);
    // Forward again they are those of the files.
    let in_place_of = (in_force.mandate.in_place_of != Some(version)).then(|| in_force.rules_version());
    assembly.configuration.mandate = Mandate { by: Some(by.clone()), approved_by: None, in_place_of };
    let response = shown(&found.rules, &assembly, true, Vec::new());
    put_in_force(running, assembly).await?;
    let told = tell(running, found.files.configuration.rules_version()).await?;
    let named = format!("rolled back by {by}");
    Ok(with_note(response, Some(told.map_or_else(|| named.clone(), |told| format!("{named}; {told}")))))
}

/// Everything that is known about the rules in force and those beside them.
pub(super) async fn list(backend: &mut Backend) -> Result<Response, Failure> {
    let (approval, files) = backend.rule_files().await;
    let look = move |engine: &Engine| {
        let standing = engine.standing();
        let row = |rule: &Arc<Rule>| RuleInForce {
            rule: rule.id.to_string(),
            version: rule.version.to_string(),
            file: rule.file.to_string(),
            applies_to: rule.applies_to.to_string(),
            priority: rule.priority.number(),
            shadow: rule.shadow,
        };
        let in_force = engine.configuration();
        RulesShown {
            approval: approval.as_str().to_owned(),
            in_force: in_force.map(|known| stands(known.rules_version(), standing.since, &known.mandate)),
            former: standing
                .former
                .as_deref()
                .map(|former| stands(rules_version(&former.rule_files), former.since, &former.mandate)),
            proposal: standing.proposal.as_deref().map(proposal_row),
            rejection: standing.rejection.as_ref().map(|rejection| RejectionRow {
                version: rejection.version.to_string(),
                by: rejection.by.to_string(),
                at: written(rejection.at.1),
                event: rejection.at.0.0,
                reason: rejection.reason.as_str().to_owned(),
            }),
            files: files.map(|files| files.to_string()),
            note: files.and_then(|files| mandate::told(engine, files, approval)),
            rules: engine.rules().iter().map(row).collect(),
        }
    };
    Ok(Response::Rules(Box::new(backend.look(look).await?)))
}

fn stands(version: RulesVersion, since: Option<(Seq, Timestamp)>, mandate: &Mandate) -> RulesInForce {
    RulesInForce {
        version: version.to_string(),
        since: since.map(|(_, at)| written(at)),
        event: since.map(|(seq, _)| seq.0),
        by: mandate.by.as_ref().map(ToString::to_string),
        approved_by: mandate.approved_by.as_ref().map(ToString::to_string),
        in_place_of: mandate.in_place_of.map(|version| version.to_string()),
    }
}

fn proposal_row(proposal: &Proposal) -> ProposalRow {
    let change = |(rule, became): &(_, RuleBecame)| (ToString::to_string(rule), became.as_str().to_owned());
    ProposalRow {
        version: proposal.rules.version.to_string(),
        by: proposal.by.to_string(),
        at: written(proposal.at.1),
        event: proposal.at.0.0,
        changes: proposal.rules.changes.iter().map(change).collect::<Vec<(String, String)>>(),
        further: proposal.rules.further,
    }
}

/// What waits, if that is what is meant.
fn waiting<'a>(proposal: Option<&'a Proposal>, named: &str) -> Result<&'a Proposal, Failure> {
    let Some(proposal) = proposal else {
        return Err(Failure::refused(
            "no rules wait for approval; `rettidig reload --as ACCOUNT` proposes those of the files",
        ));
    };
    let version = proposal.rules.version;
    if named.len() >= DIGITS_MIN && version.to_string().starts_with(named) {
        return Ok(proposal);
    }
    let text = format!(
        "\"{named}\" does not wait; {} does, proposed by {}: write at least {DIGITS_MIN} digits of it",
        short(version),
        proposal.by
    );
    Err(Failure::refused(text))
}

async fn command(running: &Running, account: AccountId, kind: CommandKind) -> Result<Seq, Failure> {
    let number = random_bytes().map(u64::from_le_bytes).map_err(|error| Failure::failed(&error))?;
    let id = CommandId::new(format!("rules-{number:016x}"));
    let answer = running.handle.ask_for(Event::Commanded(Command { id, account, kind })).await;
    let answer = answer.map_err(|_| Failure::stopping())?;
    match answer.verdict {
        Verdict::Accepted => Ok(answer.seq),
        Verdict::Refused(refusal) => Err(Failure::refused(format!("not done: {}", refusal.as_str().replace('_', " ")))),
        Verdict::Duplicate { .. } | Verdict::Redacted | Verdict::Quarantined(_) => {
            Err(Failure::new(FailureKind::Failed, format!("not done: {:?}", answer.verdict)))
        }
    }
}

/// Every fault of the earlier rules, at its row.
fn unfit(loaded: &Loaded, rule_files: &BTreeMap<SmolStr, String>, faults: &[Fault]) -> Failure {
    let row = |fault: &Fault| {
        let text = rule_files.get(&fault.file).cloned().or_else(|| loaded.texts.text(&fault.file)).unwrap_or_default();
        let before = text.get(..fault.span.start).unwrap_or_default();
        let suggestion = fault.suggestion.as_ref().map_or_else(String::new, |text| format!("; {text}"));
        FaultRow {
            file: fault.file.to_string(),
            row: u32::try_from(before.matches('\n').count() + 1).unwrap_or_default(),
            column: String::new(),
            reason: format!("{}{suggestion}", fault.message),
        }
    };
    let text = format!(
        "the earlier rules do not fit the sensor types and calendars of now: {} faults; put those back first, and nothing was \
         changed",
        faults.len()
    );
    Failure { faults: faults.iter().map(row).collect(), ..Failure::new(FailureKind::Faults, text) }
}
