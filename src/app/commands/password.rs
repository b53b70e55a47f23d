//! A password from a person: typed twice without being shown, or the first line of standard input.

use crate::vault::PASSWORD_CHARACTERS_MIN;
use anyhow::{Context as _, bail};
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
use ratatui::crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// More than any password may have; longer lines are cut and then refused.
const LINE_BYTES_MAX: u64 = 4_096;

pub(super) fn ask(account: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return first_line();
    }
    let first = hidden(&format!("password for {account}, at least {PASSWORD_CHARACTERS_MIN} characters: "))?;
    let again = hidden("the same again: ")?;
    if first != again {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

/// The password that an account has.
pub(super) fn prove(account: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() { hidden(&format!("password for {account}: ")) } else { first_line() }
}

fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line).context("read the password from standard input")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("no password on standard input; write it as the first line");
    }
    Ok(password.to_owned())
}

/// The terminal shows what is typed again when this is dropped, however the typing ended.
struct Silence;

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either way.
        disable_raw_mode().ok();
    }
}

fn hidden(prompt: &str) -> anyhow::Result<String> {
    let mut out = io::stderr();
    write!(out, "{prompt}").and_then(|()| out.flush())?;
    let typed = {
        enable_raw_mode().context("hide what is typed")?;
        let _silence = Silence;
        typed()
    };
    writeln!(out)?;
    typed
}

fn typed() -> anyhow::Result<String> {
    let mut text = String::new();
    loop {
        let Event::Key(key) = read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.code == KeyCode::Enter {
            return Ok(text);
        } else if key.code == KeyCode::Backspace {
            text.pop();
        } else if let KeyCode::Char(letter) = key.code {
            match (control, letter) {
                (true, 'c' | 'd') => bail!("no password was given; nothing was changed"),
                (true, 'u') => text.clear(),
                (true, _) => {}
                (false, letter) => text.push(letter),
            }
        }
    }
}
