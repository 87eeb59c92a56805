//! The command line in two steps: raw arguments -> options and operands by name -> a checked [`Command`].
//!
//! Takes the arguments after the program's name, gives plain values or a sentence. Opens no file but those of time
//! zones, so that an unknown zone is a usage error.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::fleet_export::Range;
use super::lists::Action;
use super::options::{self, *};
use super::raw_arguments::{Raw, suggestion};
use super::upkeep::ForgetScope;
use crate::config::options::duration;
use crate::daemon::DaemonPaths;
use crate::event::calendar::{Calendar, Month};
use crate::event::{Service, services};
use crate::output::blobmsg::{self, FOREVER};
use crate::output::cells::plain;
use crate::output::month_report::{Form, Language, Wanted};
use crate::query::question::{Prefix, Question, Topic, checked, date, number};
use crate::query::target::Target;

/// ubusd's socket on OpenWrt (`UBUS_UNIX_SOCKET` of libubus).
pub const DEFAULT_UBUS: &str = "/var/run/ubus/ubus.sock";
/// The UCI file.
pub const DEFAULT_CONFIG: &str = "/etc/config/fwstat";
/// The country database of the package fwstat-country.
pub const DEFAULT_COUNTRIES: &str = "/usr/share/fwstat/country.mmdb";
/// The service's directory in RAM.
pub const DEFAULT_RUN: &str = "/var/run/fwstat";

/// A store directory that is read without a daemon, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct StoreOptions {
    pub directory: PathBuf,
    /// The zone of instants in answers; `None`: that of the store's days, or the system's.
    pub timezone: Option<String>,
    /// The country database; the default file may be missing.
    pub countries: PathBuf,
    /// The database of AS numbers.
    pub networks: Option<PathBuf>,
}

impl StoreOptions {
    /// With every other option at its default.
    pub fn of(directory: PathBuf) -> StoreOptions {
        StoreOptions { directory, timezone: None, countries: DEFAULT_COUNTRIES.into(), networks: None }
    }
}

/// Where a question or command is executed.
#[derive(Clone, PartialEq, Debug)]
pub enum Backend {
    /// The running daemon, over the ubus socket.
    Daemon { ubus: PathBuf },
    /// A store directory.
    Store(StoreOptions),
}

/// The log files to read, and what their lines do not contain.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// At least one; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// `None`: the system's.
    pub timezone: Option<String>,
    /// `None`: inferred.
    pub year: Option<i32>,
    /// WAN interfaces. Empty: all but those whose name is typical of the inside.
    pub wan: Vec<String>,
    /// Interfaces of the inside.
    pub lan: Vec<String>,
    /// `/etc/config/firewall` of the router that wrote the log.
    pub firewall: Option<PathBuf>,
    /// The country database, which may be missing.
    pub countries: PathBuf,
}

/// The output formats of `export`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Prometheus,
    Json,
    Csv,
    /// Batches for a fleet's server.
    Ndjson,
}

/// A command with validated values.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// A question to the daemon or a store. `arguments`: its arguments for the daemon, as they were given.
    Ask { question: Question, arguments: Map<String, Value>, backend: Backend, json: bool },
    /// The tables of log files. The question's topic is `Summary`; its range and filters apply to every table.
    Report { input: Input, question: Question, json: bool },
    /// The report of a stored month.
    MonthReport { wanted: Wanted, backend: Backend },
    /// Reads log files into a store.
    Import { input: Input, backend: Backend },
    /// To this file; `-` is standard output.
    Backup { file: PathBuf, backend: Backend, json: bool },
    /// From this file; `-` is standard input.
    Restore { file: PathBuf, backend: Backend, json: bool },
    /// Deletes days or a source.
    Forget { scope: ForgetScope, backend: Backend, json: bool },
    /// Stored data for other programs. `range`: of batches.
    Export { format: Format, backend: Backend, range: Range },
    /// Blocks by hand. `length`: the argument `for` of the ubus method.
    Block { target: Target, length: Option<String>, reason: Option<String>, ubus: PathBuf },
    /// Asks whether the guard would block.
    GuardTest { target: Target, ubus: PathBuf },
    /// Ends a block by hand.
    Unblock { target: Target, ubus: PathBuf },
    /// `all`: also what the rules blocked. `length`: the argument `for` of the ubus method.
    BlockList { action: Action, all: bool, length: Option<String>, ubus: PathBuf },
    /// Prints or changes the option `allow` of the guard.
    AllowList { action: Action, config: PathBuf },
    /// Writes the store to flash now.
    Commit { ubus: PathBuf },
    /// Runs the notifier's scripts with a test event.
    TestNotify,
    /// Checks configuration and router.
    Check(DaemonPaths),
    /// Runs the daemon; started by procd.
    Daemon(DaemonPaths),
    /// The help of one command, or the overview.
    Help(Option<&'static CommandRow>),
    /// Prints the program's version.
    Version,
}

/// `args`: what follows the program's name. The error (wrong usage) is one sentence of printable ASCII, whatever the
/// command line contains.
pub fn parse(args: &[OsString]) -> Result<Command, String> {
    let wrong = |what: String| format!("{}; try 'fwstat --help'", plain(&what));
    let Some((first, rest)) = args.split_first() else {
        return Err(wrong("no command is given".to_string()));
    };
    match first.as_bytes() {
        b"--help" | b"-h" => return Ok(Command::Help(None)),
        b"--version" | b"-V" => return Ok(Command::Version),
        b"help" => return rest.first().map(command_named).transpose().map(Command::Help).map_err(wrong),
        _ => {}
    }
    let command = command_named(first).map_err(wrong)?;
    let wrong = |what: String| format!("{}; try 'fwstat {} --help'", plain(&what), command.name());
    match Raw::read(command, rest).map_err(wrong)? {
        Some(raw) => raw.check().map_err(wrong),
        None => Ok(Command::Help(Some(command))),
    }
}

fn command_named(name: &OsString) -> Result<&'static CommandRow, String> {
    let name = name.to_string_lossy();
    options::find_command(&name).ok_or_else(|| {
        let kind = if name.starts_with('-') { "option" } else { "command" };
        let mut names = options::COMMANDS.iter().map(CommandRow::name).chain(["--help", "--version"]);
        format!("unknown {kind} '{name}'{}", suggestion(&name, &mut names, ""))
    })
}

impl Raw<'_> {
    fn check(&self) -> Result<Command, String> {
        let json = self.has(&JSON);
        let name = self.command.name();
        if let Some(topic) = Topic::from_name(name) {
            let (question, arguments) = self.question(topic)?;
            return Ok(Command::Ask { question, arguments, backend: self.backend()?, json });
        }
        match name {
            "report" if self.has(&MONTH) => self.month_report(),
            "report" => {
                self.refuse(&[&FORM, &LANG, &ADDRESSES, &DB, &UBUS], "--month")?;
                Ok(Command::Report { input: self.input()?, question: self.question(Topic::Summary)?.0, json })
            }
            "import" => Ok(Command::Import { input: self.input()?, backend: self.owned()? }),
            "backup" => Ok(Command::Backup { file: self.operand().into(), backend: self.owned()?, json }),
            "restore" => Ok(Command::Restore { file: self.operand().into(), backend: self.owned()?, json }),
            "forget" => Ok(Command::Forget { scope: self.forget()?, backend: self.owned()?, json }),
            "export" => self.export(),
            "block" => Ok(Command::Block {
                target: self.target()?,
                length: self.get(&FOR, block_length)?,
                reason: self.get(&REASON, blobmsg::reason)?,
                ubus: self.ubus()?,
            }),
            "guard-test" => Ok(Command::GuardTest { target: self.target()?, ubus: self.ubus()? }),
            "unblock" => Ok(Command::Unblock { target: self.target()?, ubus: self.ubus()? }),
            "blocklist" => self.block_list(),
            "allowlist" => Ok(Command::AllowList {
                action: self.list_action()?,
                config: self.path_or(&CONFIG, DEFAULT_CONFIG)?,
            }),
            "commit" => Ok(Command::Commit { ubus: self.ubus()? }),
            "notify" if self.has(&TEST) => Ok(Command::TestNotify),
            "notify" => Err("add --test: events are sent by the service".to_string()),
            "check" => Ok(Command::Check(self.daemon_paths()?)),
            _ => Ok(Command::Daemon(self.daemon_paths()?)),
        }
    }

    fn ubus(&self) -> Result<PathBuf, String> {
        self.path_or(&UBUS, DEFAULT_UBUS)
    }

    fn daemon_paths(&self) -> Result<DaemonPaths, String> {
        Ok(DaemonPaths {
            config: self.path_or(&CONFIG, DEFAULT_CONFIG)?,
            ubus: self.ubus()?,
            run: self.path_or(&RUN, DEFAULT_RUN)?,
        })
    }

    fn operand(&self) -> &OsStr {
        self.operands.first().copied().unwrap_or_default()
    }

    fn target(&self) -> Result<Target, String> {
        Target::parse(&self.operand().to_string_lossy())
    }

    /// The store of a command that changes it: the running daemon's, or a directory.
    fn owned(&self) -> Result<Backend, String> {
        let directory = self.path(&STORE)?;
        self.not_both(&STORE, &UBUS, ", a store or a daemon")?;
        Ok(match directory {
            Some(directory) => Backend::Store(StoreOptions::of(directory)),
            None => Backend::Daemon { ubus: self.ubus()? },
        })
    }

    fn forget(&self) -> Result<ForgetScope, String> {
        let operand = self.operands.first().map(|operand| Prefix::parse(&operand.to_string_lossy()));
        let source = match (self.get(&FORGOTTEN, Prefix::parse)?, operand.transpose()?) {
            (Some(_), Some(_)) => return Err("--source and an address: give one of them".to_string()),
            (option, operand) => option.or(operand),
        };
        match (self.get(&BEFORE, date)?, source) {
            (Some(first), None) => Ok(ForgetScope::Before(first)),
            (None, Some(prefix)) => Ok(ForgetScope::Source(prefix)),
            (None, None) => Err("give --before or --source: what to delete".to_string()),
            _ => Err("--before and --source: give one of them".to_string()),
        }
    }

    fn list_action(&self) -> Result<Action, String> {
        let (import, append) = (self.path(&IMPORT)?, self.path(&APPEND)?);
        self.not_both(&IMPORT, &APPEND, "")?;
        Ok(import.map(Action::Import).or(append.map(Action::Append)).unwrap_or(Action::Print))
    }

    fn block_list(&self) -> Result<Command, String> {
        let (action, all) = (self.list_action()?, self.has(&ALL));
        let is_import = matches!(action, Action::Import(_));
        if all && is_import {
            return Err("--all goes with the blocks that there are, not with --import".to_string());
        }
        let length = self.get(&FOR, block_length)?;
        if length.is_some() && !is_import {
            return Err("--for goes with --import".to_string());
        }
        Ok(Command::BlockList { action, all, length, ubus: self.ubus()? })
    }

    fn month_report(&self) -> Result<Command, String> {
        let of_files = [&FROM, &TO, &CLASS, &MIN, &LIMIT, &JSON, &YEAR, &WAN];
        self.refuse(&of_files, "log files, not with --month")?;
        if let Some(file) = self.operands.first() {
            return Err(format!("unexpected '{}': give log files or --month", file.to_string_lossy()));
        }
        let month = |text: &str| checked(text, Month::parse(text), "a month (YYYY-MM, such as 2020-04)");
        let form = |text: &str| checked(text, Form::from_name(text), "text or html");
        let language = |text: &str| checked(text, Language::from_name(text), "en or ja");
        let wanted = Wanted {
            month: self.get(&MONTH, month)?.ok_or("--month needs a value: YYYY-MM")?,
            form: self.get(&FORM, form)?.unwrap_or(Form::Text),
            language: self.get(&LANG, language)?.unwrap_or(Language::English),
            addresses: self.has(&ADDRESSES),
        };
        Ok(Command::MonthReport { wanted, backend: self.backend()? })
    }

    /// The question, and its arguments as they were given.
    fn question(&self, topic: Topic) -> Result<(Question, Map<String, Value>), String> {
        let (mut question, mut arguments) = (Question::new(topic), Map::new());
        if topic == Topic::Source {
            let address = self.operand().to_string_lossy();
            question.set("address", &address)?;
            arguments.insert("address".to_string(), address.into());
        }
        for option in
            [&FROM, &TO, &CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &MIN, &LIMIT, &CURSOR, &FILTER]
        {
            if let Some(text) = self.get(option, |text| Ok(text.to_string()))? {
                let name = option.name();
                question.set(name, &text).map_err(|wrong| format!("--{name}: {wrong}"))?;
                arguments.insert(name.to_string(), text.into());
            }
        }
        question.check(self.has(&CLASS))?;
        match question.protocol {
            Some(protocol) if question.port.is_some() && !Service::has_ports(protocol) => {
                Err(format!("--port: protocol {} has no ports", services::protocol_name(protocol)))
            }
            _ => Ok((question, arguments)),
        }
    }

    /// An error if both options are given; `or_what`: the end of the sentence.
    fn not_both(&self, one: &OptionRow, other: &OptionRow, or_what: &str) -> Result<(), String> {
        if self.has(one) && self.has(other) {
            return Err(format!("--{} and --{}: give one of them{or_what}", one.name(), other.name()));
        }
        Ok(())
    }

    /// An error that says what the first of these options that is given goes with.
    fn refuse(&self, options: &[&OptionRow], goes_with: &str) -> Result<(), String> {
        match options.iter().find(|option| self.has(option)) {
            Some(option) => Err(format!("--{} goes with {goes_with}", option.name())),
            None => Ok(()),
        }
    }

    fn backend(&self) -> Result<Backend, String> {
        let timezone = self.get(&TIMEZONE, timezone)?;
        let Some(directory) = self.path(&DB)? else {
            self.refuse(&[&COUNTRIES, &NETWORKS], "--db: the daemon has its own")?;
            self.refuse(&[&TIMEZONE], "--db: the daemon answers in the router's own zone")?;
            return Ok(Backend::Daemon { ubus: self.ubus()? });
        };
        self.not_both(&DB, &UBUS, ", a store or a daemon to ask")?;
        let (countries, networks) = (self.countries()?, self.path(&NETWORKS)?);
        Ok(Backend::Store(StoreOptions { directory, timezone, countries, networks }))
    }

    fn countries(&self) -> Result<PathBuf, String> {
        self.path_or(&COUNTRIES, DEFAULT_COUNTRIES)
    }

    fn input(&self) -> Result<Input, String> {
        let year = |text: &str| {
            checked(text, number(text).filter(|year| (1970..=9999).contains(year)), "a year (1970 to 9999)")
        };
        Ok(Input {
            files: self.operands.iter().map(PathBuf::from).collect(),
            timezone: self.get(&TIMEZONE, timezone)?,
            year: self.get(&YEAR, year)?,
            wan: self.all(&WAN, interface)?,
            lan: self.all(&LAN, interface)?,
            firewall: self.value(&FIREWALL).map(PathBuf::from),
            countries: self.countries()?,
        })
    }

    fn export(&self) -> Result<Command, String> {
        let format = self.get(&FORMAT, export_format)?;
        let format = format.ok_or("no format is given: add --format prometheus, json, csv or ndjson")?;
        let range = Range { from: self.get(&FROM, date)?, to: self.get(&TO, date)? };
        if format != Format::Ndjson && range != Range::default() {
            return Err("--from and --to go with --format ndjson: the other formats have no range".into());
        }
        Ok(Command::Export { format, backend: self.backend()?, range })
    }
}

fn export_format(text: &str) -> Result<Format, String> {
    match text {
        "prometheus" => Ok(Format::Prometheus),
        "json" => Ok(Format::Json),
        "csv" => Ok(Format::Csv),
        "ndjson" => Ok(Format::Ndjson),
        _ => Err(format!("'{text}' is not prometheus, json, csv or ndjson")),
    }
}

/// The name of an existing time zone.
fn timezone(text: &str) -> Result<String, String> {
    Calendar::new(text).map(|_| text.to_string())
}

/// The duration of a block: a number of seconds, minutes, hours or days, or `forever`.
fn block_length(text: &str) -> Result<String, String> {
    // A number without a unit is ambiguous.
    let has_unit = text.ends_with(['s', 'm', 'h', 'd']);
    let is_length = has_unit && duration(text).is_some_and(|duration| !duration.is_zero());
    let length = (is_length || text == FOREVER).then(|| text.to_string());
    checked(text, length, "a length of time (such as 90s, 10m, 1h or 7d)")
}

/// A network interface's name as Linux allows it: 1 to 15 bytes without blanks, slashes and control characters.
fn interface(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|c| c != '/' && !c.is_whitespace() && !c.is_control());
    let name = Some(text.to_string()).filter(|_| is_plain && (1..=15).contains(&text.len()));
    checked(text, name, "an interface name")
}

#[cfg(test)]
mod tests;
