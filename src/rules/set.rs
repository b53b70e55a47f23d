//! All rule files together: the rule set, or every fault in every file.

use super::limits::{FILE_BYTES_MAX, FILES_MAX, RULES_PER_FILE_MAX};
use super::question::{Asked, Followed, Question};
use super::reader::read_rule;
use super::rule::Rule;
use super::vocabulary::{SlotLayout, Vocabulary};
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetKind, RuleId};
use crate::domain::toml_reader::{Document, Faults};
use smol_str::SmolStr;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Rules that a fault about all of them names.
const COSTLIEST: usize = 3;
const MEBIBYTE: u64 = 1_024 * 1_024;

/// How much rules may remember: for this many assets of one kind, at most so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub assets: u64,
    pub bytes_max: u64,
}

/// The rules in force, and where the values they read stand.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: BTreeMap<RuleId, Arc<Rule>>,
    kinds: BTreeMap<AssetKind, ForKind>,
    no_kind: ForKind,
}

/// What is in force for one kind of asset.
#[derive(Clone, Debug, Default)]
pub struct ForKind {
    rules: Vec<Arc<Rule>>,
    /// Where each rule's words of memory begin, and where the last one's end.
    begins: Vec<usize>,
    layout: SlotLayout,
    asked: Asked,
    reads_silence: bool,
}

/// What has become of one rule since an earlier rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChange {
    pub rule: RuleId,
    pub became: Became,
    pub shadow: Shade,
}

/// Whether a rule raises nothing, before and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// It raises alarms, as before.
    Live,
    Enters,
    Stays,
    Leaves,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    New,
    /// What it waited for and remembered is gone, and its alarms are dismissed.
    Removed,
    /// It decides otherwise than before: its calls that mean the same go on where they were, the others begin anew.
    Changed {
        kept: Vec<String>,
        begun: Vec<String>,
    },
}

/// Compiles all rule files, by name; rules keep the order of the files and of their places in them.
///
/// # Errors
/// Every fault of every file, ordered by file and place.
pub fn compile(files: &BTreeMap<SmolStr, String>, vocabulary: &Vocabulary) -> Result<RuleSet, Vec<Fault>> {
    let faults = Faults::default();
    let mut set = RuleSet::default();
    for (kind, layout) in vocabulary.layouts() {
        set.kinds.entry(kind).or_default().layout = layout;
    }
    let mut places: BTreeMap<SmolStr, String> = BTreeMap::new();
    for (index, (file, text)) in files.iter().enumerate() {
        if index >= FILES_MAX {
            faults.push(whole_file(
                file,
                format!("more than {FILES_MAX} rule files"),
                "put several services in one file",
            ));
        } else if text.len() > FILE_BYTES_MAX {
            let message = format!("the file is {} bytes long, at most {FILE_BYTES_MAX}", text.len());
            faults.push(whole_file(file, message, "put its rules into several files"));
        } else {
            compile_file(file, text, vocabulary, &faults, &mut set, &mut places);
        }
    }
    set.kinds.values_mut().for_each(ForKind::complete);
    if faults.is_empty() { Ok(set) } else { Err(faults.into_sorted()) }
}

fn compile_file(
    file: &SmolStr,
    text: &str,
    vocabulary: &Vocabulary,
    faults: &Faults,
    set: &mut RuleSet,
    places: &mut BTreeMap<SmolStr, String>,
) {
    let document = Document::parse(file.clone(), text, faults);
    let mut root = document.root(faults);
    for (index, mut section) in root.sections("rule").into_iter().enumerate() {
        if index >= RULES_PER_FILE_MAX {
            section.fault(
                section.span(),
                format!("more than {RULES_PER_FILE_MAX} rules in one file"),
                "put its rules into several files".to_owned(),
            );
            break;
        }
        // An id is taken even by a rule with faults, so that its double is found in the same run.
        if let Some(id) = section.optional("id").and_then(|field| field.text().filter(|id| !id.value.is_empty())) {
            let span = id.field().span();
            match places.entry(SmolStr::new(&id.value)) {
                Entry::Occupied(taken) => id.fault(
                    format!("the rule id `{}` is already taken", id.value),
                    format!("the other one stands in {}", taken.get()),
                ),
                Entry::Vacant(free) => {
                    let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
                    free.insert(format!("{file}:{line}"));
                }
            }
        }
        let rule = read_rule(section, file, vocabulary);
        let lost = rule.is_none() && faults.is_empty() && !vocabulary.may_lack_kinds();
        assert!(!lost, "a rule of {file} was left out without a fault");
        if let Some(rule) = rule {
            let rule = Arc::new(rule);
            set.kinds.entry(rule.applies_to.clone()).or_default().rules.push(Arc::clone(&rule));
            set.rules.insert(rule.id.clone(), rule);
        }
    }
    root.finish();
}

fn whole_file(file: &SmolStr, message: String, suggestion: &str) -> Fault {
    Fault { file: file.clone(), span: 0..0, message, suggestion: Some(suggestion.to_owned()) }
}

impl ForKind {
    fn complete(&mut self) {
        let ends = self.rules.iter().scan(0, |end, rule| {
            *end += rule.words();
            Some(*end)
        });
        self.begins = std::iter::once(0).chain(ends).collect();
        self.asked = Asked::by(&self.rules);
        self.reads_silence = self.rules.iter().any(|rule| rule.reads_silence());
    }

    /// In the order of their files.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Where the values stand.
    #[must_use]
    pub const fn layout(&self) -> &SlotLayout {
        &self.layout
    }

    /// The properties that an estimator follows, by slot.
    #[must_use]
    pub fn followed(&self) -> &[Followed] {
        &self.asked.followed
    }

    /// What the rules ask of the estimators, each question once.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.asked.questions
    }

    /// Whether a verdict depends on `silent()`.
    #[must_use]
    pub const fn reads_silence(&self) -> bool {
        self.reads_silence
    }

    /// Words of memory of all rules together.
    #[must_use]
    pub fn words(&self) -> usize {
        self.begins.last().copied().unwrap_or_default()
    }

    /// The words of the rule at this place among those of all.
    #[must_use]
    pub fn words_of(&self, place: usize) -> Range<usize> {
        match self.begins.get(place..place + 2) {
            Some([begin, end]) => *begin..*end,
            Some(_) | None => 0..0,
        }
    }
}

impl RuleSet {
    /// What is in force for assets of this kind; nothing for a kind that is not known.
    #[must_use]
    pub fn of_kind(&self, kind: &AssetKind) -> &ForKind {
        self.kinds.get(kind).unwrap_or(&self.no_kind)
    }

    /// The rules that apply to assets of this kind, in the order of their files.
    #[must_use]
    pub fn for_kind(&self, kind: &AssetKind) -> &[Arc<Rule>] {
        self.of_kind(kind).rules()
    }

    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.rules.get(id)
    }

    /// Bytes that all rules together, and the estimators that they ask, remember about one asset of this kind.
    #[must_use]
    pub fn state_bytes(&self, kind: &AssetKind) -> usize {
        let estimators: usize = self.followed(kind).iter().map(|followed| followed.quantity.state_bytes()).sum();
        self.for_kind(kind).iter().map(|rule| rule.state_bytes()).sum::<usize>() + estimators
    }

    /// The properties that an estimator follows for each asset of this kind, by slot.
    #[must_use]
    pub fn followed(&self, kind: &AssetKind) -> &[Followed] {
        self.of_kind(kind).followed()
    }

    /// What the rules for this kind ask of the estimators, each question once.
    #[must_use]
    pub fn questions(&self, kind: &AssetKind) -> &[Question] {
        self.of_kind(kind).questions()
    }

    /// A fault for each kind of asset whose rules would remember more than they may, at the costliest of them.
    #[must_use]
    pub fn over(&self, budget: Budget) -> Vec<Fault> {
        self.kinds().filter_map(|kind| self.over_for(kind, budget)).collect()
    }

    fn over_for(&self, kind: &AssetKind, budget: Budget) -> Option<Fault> {
        let bytes = self.state_bytes(kind);
        let total = (bytes as u64).saturating_mul(budget.assets);
        if total <= budget.bytes_max {
            return None;
        }
        let mut costly: Vec<&Arc<Rule>> = self.for_kind(kind).iter().collect();
        costly.sort_by_key(|rule| std::cmp::Reverse(rule.state_bytes()));
        let named: Vec<String> =
            costly.iter().take(COSTLIEST).map(|rule| format!("`{}` {} bytes", rule.id, rule.state_bytes())).collect();
        let mebibytes = |bytes: u64| bytes.div_ceil(MEBIBYTE);
        let (named, planned) = (named.join(", "), budget.assets);
        costly.first().map(|rule| Fault {
            file: rule.file.clone(),
            span: rule.place.clone(),
            message: format!(
                "the rules for `{kind}` remember {bytes} bytes about each asset, {} MiB about {planned}: at most {} MiB",
                mebibytes(total),
                mebibytes(budget.bytes_max)
            ),
            suggestion: Some(format!(
                "the costliest are {named}; or change rule_state_mebibytes_max or planned_assets in [limits]"
            )),
        })
    }

    /// Where the values of assets of this kind stand; without slots for a kind no sensor type measures.
    #[must_use]
    pub fn slots(&self, kind: &AssetKind) -> &SlotLayout {
        self.of_kind(kind).layout()
    }

    /// What differs from an earlier rule set, ordered by rule; nothing about rules that decide as before.
    #[must_use]
    pub fn changes_from(&self, earlier: &Self) -> Vec<RuleChange> {
        let change = |id: &RuleId| {
            let became = match (earlier.rules.get(id), self.rules.get(id)) {
                (Some(before), Some(now)) if before.version == now.version => return None,
                (Some(before), Some(now)) => Became::Changed {
                    kept: now.calls_kept_from(before).into_iter().map(str::to_owned).collect(),
                    begun: now.calls_begun_after(before).into_iter().map(str::to_owned).collect(),
                },
                (None, _) => Became::New,
                (Some(_), None) => Became::Removed,
            };
            let in_shadow = |rules: &Self| rules.rules.get(id).is_some_and(|rule| rule.shadow);
            let shadow = match (in_shadow(earlier), in_shadow(self)) {
                (false, true) => Shade::Enters,
                (true, true) => Shade::Stays,
                (true, false) if self.rules.contains_key(id) => Shade::Leaves,
                (true | false, false) => Shade::Live,
            };
            Some(RuleChange { rule: id.clone(), became, shadow })
        };
        let ids: BTreeSet<&RuleId> = earlier.rules.keys().chain(self.rules.keys()).collect();
        ids.into_iter().filter_map(change).collect()
    }

    /// Every rule, ordered by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.rules.values()
    }

    /// The kinds of asset that have rules.
    pub fn kinds(&self) -> impl Iterator<Item = &AssetKind> {
        self.kinds.iter().filter(|(_, known)| !known.rules.is_empty()).map(|(kind, _)| kind)
    }
}
