//! The first step of the command line: raw arguments -> options and operands by name.
//!
//! Knows which options a command takes and which of them have a value; reads no value.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::options::{self, CommandRow, OptionRow};
use crate::config::options::distance;

/// Parses a value; the error is a sentence.
type Read<T> = fn(&str) -> Result<T, String>;

/// The arguments sorted into options and operands, none of them read yet.
pub(super) struct Raw<'a> {
    pub command: &'static CommandRow,
    given: Vec<(&'static OptionRow, &'a OsStr)>,
    pub operands: Vec<&'a OsStr>,
}

impl<'a> Raw<'a> {
    /// `None` when help is asked for.
    pub(super) fn read(
        command: &'static CommandRow,
        args: &'a [OsString],
    ) -> Result<Option<Raw<'a>>, String> {
        let mut raw = Raw { command, given: Vec::new(), operands: Vec::new() };
        let mut args = args.iter().map(OsString::as_os_str);
        while let Some(arg) = args.next() {
            let bytes = arg.as_bytes();
            match bytes {
                b"--" => raw.operands.extend(args.by_ref()),
                b"--help" | b"-h" => return Ok(None),
                [b'-', _, ..] => raw.read_option(bytes, &mut args)?,
                _ => raw.operands.push(arg),
            }
        }
        raw.check_operands()?;
        Ok(Some(raw))
    }

    fn read_option(
        &mut self,
        arg: &'a [u8],
        rest: &mut impl Iterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let mut parts = arg.splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let value = parts.next().map(OsStr::from_bytes);
        let Some(option) = name.strip_prefix("--").and_then(|name| self.command.find_option(name)) else {
            return Err(self.unknown_option(&name));
        };
        if !option.repeatable && self.value(option).is_some() {
            return Err(format!("{name} is given twice"));
        }
        let value = match (value, option.value()) {
            (None, "") => OsStr::new(""),
            (Some(_), "") => return Err(format!("{name} takes no value")),
            (Some(value), _) => value,
            (None, what) => match rest.next() {
                Some(value) if !value.as_bytes().starts_with(b"--") => value,
                _ => return Err(format!("{name} needs a value: {what}")),
            },
        };
        self.given.push((option, value));
        Ok(())
    }

    fn unknown_option(&self, name: &str) -> String {
        let command = self.command.name();
        let of_another =
            |name| options::COMMANDS.iter().any(|other: &CommandRow| other.find_option(name).is_some());
        if name.strip_prefix("--").is_some_and(of_another) {
            // What a store does not have: single events, present blocks, a process.
            let why = if name == "--db" { ": it asks the running daemon" } else { "" };
            return format!("'fwstat {command}' takes no option {name}{why}");
        }
        let bare = name.trim_start_matches('-');
        let mut names = self.command.options.iter().map(|option| option.name());
        format!("unknown option '{name}'{}", suggestion(bare, &mut names, "--"))
    }

    fn check_operands(&self) -> Result<(), String> {
        let (command, operands) = (self.command.name(), self.command.operands());
        let noun = if operands == "FILE" { "file" } else { "address" };
        let unexpected = |index: usize| format!("unexpected '{}'", self.operands[index].to_string_lossy());
        match (operands, self.operands.len()) {
            ("", 1..) => Err(unexpected(0)),
            ("ADDRESS" | "FILE", 0) => Err(format!("no {noun} is given: 'fwstat {command} {operands}'")),
            ("ADDRESS" | "[ADDRESS]" | "FILE", 2..) => Err(format!("{}: give one {noun}", unexpected(1))),
            ("FILE...", 0) if self.has(&options::MONTH) => Ok(()),
            ("FILE...", 0) => Err(format!(
                "no log file is given: 'fwstat {command} FILE...', such as /var/log/messages, or - for standard input"
            )),
            _ if self.operands.iter().any(|operand| operand.is_empty()) => {
                Err("an argument is empty".to_string())
            }
            _ => Ok(()),
        }
    }

    /// The option's value as it was given, the first one of several.
    pub(super) fn value(&self, option: &OptionRow) -> Option<&'a OsStr> {
        self.given.iter().find(|(given, _)| *given == option).map(|(_, value)| *value)
    }

    /// Whether the option was given.
    pub(super) fn has(&self, option: &OptionRow) -> bool {
        self.value(option).is_some()
    }

    /// The option's value, parsed by `read`. The error names the option.
    pub(super) fn get<T>(&self, option: &OptionRow, read: Read<T>) -> Result<Option<T>, String> {
        self.value(option).map(|value| read_value(option, value, read)).transpose()
    }

    /// The option's value as a path; the error: it is empty.
    pub(super) fn path(&self, option: &OptionRow) -> Result<Option<PathBuf>, String> {
        match self.value(option) {
            Some(value) if value.is_empty() => {
                Err(format!("--{} needs a value: {}", option.name(), option.value()))
            }
            value => Ok(value.map(PathBuf::from)),
        }
    }

    /// The same with a default.
    pub(super) fn path_or(&self, option: &OptionRow, default: &str) -> Result<PathBuf, String> {
        Ok(self.path(option)?.unwrap_or_else(|| PathBuf::from(default)))
    }

    /// Every value of a repeatable option.
    pub(super) fn all<T>(&self, option: &OptionRow, read: Read<T>) -> Result<Vec<T>, String> {
        let given = self.given.iter().filter(|(given, _)| *given == option);
        given.map(|(_, value)| read_value(option, value, read)).collect()
    }
}

/// The error names the option.
fn read_value<T>(option: &OptionRow, value: &OsStr, read: Read<T>) -> Result<T, String> {
    let text = value.to_str().ok_or_else(|| "the value is not UTF-8 text".to_string());
    text.and_then(read).map_err(|error| format!("--{}: {error}", option.name()))
}

/// `: did you mean '...'?` with the nearest name after `dashes`, if one is near.
pub(super) fn suggestion(given: &str, names: &mut dyn Iterator<Item = &'static str>, dashes: &str) -> String {
    // A cut name: `proto` for `protocol`.
    let begins = |name: &str| given.len() >= 3 && name.starts_with(given);
    let nearest = names
        .map(|name| if begins(name) { (0, name) } else { (distance(given, name), name) })
        .min_by_key(|(distance, _)| *distance);
    let near = nearest.filter(|(distance, name)| *distance <= 1 + name.len() / 4);
    near.map_or_else(String::new, |(_, name)| format!(": did you mean '{dashes}{name}'?"))
}
