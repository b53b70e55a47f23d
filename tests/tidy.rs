//! The shape of the house, checked: which room may import which, how long files and functions may be,
//! and which words never stand in identifiers. The same table stands in ARCHITECTURE.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::allow_attributes, reason = "a failing test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Room → floor. An import goes to a lower floor.
const FLOORS: [(&str, u8); 20] = [
    ("domain", 0),
    ("config", 1),
    ("decode", 1),
    ("engine", 1),
    ("estimate", 1),
    ("registry", 1),
    ("rules", 1),
    ("telemetry", 1),
    ("board", 2),
    ("dispatch", 2),
    ("endpoint", 2),
    ("intake", 2),
    ("journal", 2),
    ("store", 2),
    ("vault", 2),
    ("review", 3),
    ("console", 4),
    ("twin", 4),
    ("app", 5),
    ("main", 6),
];

/// The only imports that go sideways.
const ARROWS: [(&str, &str); 2] = [("engine", "rules"), ("engine", "estimate")];

/// Rooms that read no clock, no randomness, no file and no network.
const PURE: [&str; 5] = ["domain", "decode", "rules", "estimate", "engine"];
const IMPURE_CRATES: [&str; 9] =
    ["tokio", "tracing", "metrics", "rusqlite", "getrandom", "rand", "rumqttc", "axum", "telemetry"];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Words for which the house has a better one (HOUSE_STYLE §5).
const NEVER_WORDS: [(&str, &str); 12] = [
    ("severity", "priority"),
    ("snooze", "shelve"),
    ("mute", "shelve, or hush for a sound"),
    ("inhibit", "suppress"),
    ("debounce", "on_delay"),
    ("hysteresis", "deadband"),
    ("ticket", "task"),
    ("incident", "alarm"),
    ("raw_event", "uplink"),
    ("utils", "a name for what it does"),
    ("helpers", "a name for what it does"),
    ("manager", "a name for what it does"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn room_of(path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    (first != "lib.rs").then(|| first.trim_end_matches(".rs").to_owned())
}

/// Test files may be long and may read fixtures.
fn of_tests(path: &Path) -> bool {
    path.strip_prefix(root().join("src")).unwrap().iter().any(|part| part == "tests" || part == "tests.rs")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// Every path and `use` in a file, with test modules left out of the import rules but not of the word rules.
#[derive(Default)]
struct Reading {
    paths: Vec<(Vec<String>, usize)>,
    functions: Vec<(String, usize, usize)>,
    identifiers: Vec<(String, usize)>,
    in_tests: bool,
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let tests =
            item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg") && quote_contains(attribute, "test"));
        let before = self.in_tests;
        self.in_tests |= tests;
        visit::visit_item_mod(self, item);
        self.in_tests = before;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.span().start().line;
        let mut prefix = Vec::new();
        if !self.in_tests {
            collect_use(&item.tree, &mut prefix, line, &mut self.paths);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if !self.in_tests {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.paths.push((segments, path.span().start().line));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note_function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note_function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    /// Another crate's name for a thing is its own; ours is the one behind `as`.
    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        self.visit_ident(&rename.rename);
    }

    fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
        self.identifiers.push((ident.to_string(), ident.span().start().line));
    }
}

impl Reading {
    fn note_function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let start = signature.span().start().line;
        let end = block.span().end().line;
        if !self.in_tests {
            self.functions.push((signature.ident.to_string(), start, end + 1 - start));
        }
    }
}

fn quote_contains(attribute: &syn::Attribute, word: &str) -> bool {
    attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains(word))
}

fn collect_use(tree: &syn::UseTree, prefix: &mut Vec<String>, line: usize, found: &mut Vec<(Vec<String>, usize)>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect_use(&path.tree, prefix, line, found);
            prefix.pop();
        }
        syn::UseTree::Name(name) => found.push((with(prefix, name.ident.to_string()), line)),
        syn::UseTree::Rename(rename) => found.push((with(prefix, rename.ident.to_string()), line)),
        syn::UseTree::Glob(_) => found.push((prefix.clone(), line)),
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|item| collect_use(item, prefix, line, found));
        }
    }
}

fn with(prefix: &[String], last: String) -> Vec<String> {
    prefix.iter().cloned().chain([last]).collect()
}

fn readings() -> Vec<(PathBuf, Reading)> {
    rust_files(&root().join("src"))
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", shown(&path)));
            let mut reading = Reading::default();
            reading.visit_file(&file);
            (path, reading)
        })
        .collect()
}

fn fail_with(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    let floors: BTreeMap<_, _> = FLOORS.into();
    let strangers: Vec<_> = rust_files(&root().join("src"))
        .iter()
        .filter_map(|path| room_of(path))
        .filter(|room| !floors.contains_key(room.as_str()))
        .collect();
    fail_with(&strangers);
}

#[test]
fn imports_go_down_only() {
    let floors: BTreeMap<_, _> = FLOORS.into();
    let mut faults = Vec::new();
    for (path, reading) in readings() {
        let Some(room) = room_of(&path) else { continue };
        for (segments, line) in &reading.paths {
            let crate_path = matches!(segments.first().map(String::as_str), Some("crate" | "rettidig"));
            let Some(target) = segments.get(1).filter(|_| crate_path) else { continue };
            let Some(target_floor) = floors.get(target.as_str()) else { continue };
            let down = *target_floor < floors[room.as_str()];
            let arrow = ARROWS.contains(&(room.as_str(), target.as_str()));
            if *target != room && !down && !arrow {
                faults.push(format!("{}:{line}: {room} may not import {target}", shown(&path)));
            }
        }
    }
    fail_with(&faults);
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let mut faults = Vec::new();
    for (path, reading) in readings().into_iter().filter(|(path, _)| !of_tests(path)) {
        let Some(room) = room_of(&path).filter(|room| PURE.contains(&room.as_str())) else { continue };
        for (segments, line) in &reading.paths {
            let first = segments[0].as_str();
            let second = segments.get(1).map_or("", String::as_str);
            let outside = IMPURE_CRATES.contains(&first)
                || (first == "std" && matches!(second, "fs" | "net" | "env" | "process" | "thread"))
                || (first == "crate" && second == "telemetry");
            if outside {
                faults.push(format!("{}:{line}: pure room {room} uses {}", shown(&path), segments.join("::")));
            }
        }
    }
    fail_with(&faults);
}

#[test]
fn files_and_functions_stay_short() {
    let mut faults = Vec::new();
    for (path, reading) in readings().into_iter().filter(|(path, _)| !of_tests(path)) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", shown(&path)));
        }
        for (name, line, length) in &reading.functions {
            if *length > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{}:{line}: fn {name} has {length} lines, at most {FUNCTION_LINES_MAX}",
                    shown(&path)
                ));
            }
        }
    }
    fail_with(&faults);
}

#[test]
fn every_module_opens_with_what_it_does() {
    let faults: Vec<_> = rust_files(&root().join("src"))
        .iter()
        .filter(|path| !path.ends_with("main.rs"))
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| format!("{}: does not open with //!", shown(path)))
        .collect();
    fail_with(&faults);
}

#[test]
fn one_thing_has_one_word() {
    let mut faults = Vec::new();
    for (path, reading) in readings() {
        for (identifier, line) in &reading.identifiers {
            let lower = identifier.to_lowercase();
            for (never, instead) in NEVER_WORDS {
                let found = lower == never || lower.split('_').any(|part| part == never);
                if found {
                    faults.push(format!("{}:{line}: `{identifier}`: say {instead}", shown(&path)));
                }
            }
        }
    }
    fail_with(&faults);
}

#[test]
fn the_map_in_architecture_is_the_one_checked_here() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut expected = String::new();
    for floor in (0..=5).rev() {
        let rooms: Vec<_> = FLOORS.iter().filter(|(_, at)| *at == floor).map(|(room, _)| *room).collect();
        writeln!(expected, "floor {floor}  {}", rooms.join(" ")).unwrap();
    }
    assert!(document.contains(&expected), "ARCHITECTURE.md must hold this map:\n{expected}");
}
