//! The command line in two steps: raw arguments -> options and operands by name -> a checked [`Command`].
//!
//! Takes the arguments after the program's name, gives plain values or a sentence. Opens no file but those of time
//! zones, so that an unknown zone is a usage error.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::fleet_export::Range;
use super::lists::Action;
use super::options::{self, *};
use super::raw_arguments::{Raw, suggestion};
use super::upkeep::{ForgetScope, StoreCommand};
use super::values;
use crate::daemon::DaemonPaths;
use crate::output::blobmsg::{self, Length};
use crate::output::cells::plain;
use crate::output::month_report::{Form, Language, Wanted};
use crate::query::question::{Prefix, Question, Topic, date};
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
    /// A question to the daemon or a store.
    Ask { question: Question, backend: Backend, json: bool },
    /// The tables of log files. The question's topic is `Summary`; its range and filters apply to every table.
    Report { input: Input, question: Question, json: bool },
    /// The report of a stored month.
    MonthReport { wanted: Wanted, backend: Backend },
    /// Reads log files into a store.
    Import { input: Input, backend: Backend },
    /// Backup, restore or deletion.
    Upkeep { work: StoreCommand, backend: Backend, json: bool },
    /// Stored data for other programs. `range`: of batches.
    Export { format: Format, backend: Backend, range: Range },
    /// Blocks by hand.
    Block { target: Target, length: Length, reason: Option<String>, ubus: PathBuf },
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
    let name = first.to_string_lossy();
    match &*name {
        "--help" | "-h" => return Ok(Command::Help(None)),
        "--version" | "-V" => return Ok(Command::Version),
        "help" => return help_about(rest).map_err(wrong),
        _ => {}
    }
    let command = options::find_command(&name).ok_or_else(|| wrong(unknown_command(&name)))?;
    let wrong = |what: String| format!("{}; try 'fwstat {} --help'", plain(&what), command.name);
    match Raw::read(command, rest).map_err(wrong)? {
        Some(raw) => raw.check().map_err(wrong),
        None => Ok(Command::Help(Some(command))),
    }
}

fn help_about(rest: &[OsString]) -> Result<Command, String> {
    let Some(name) = rest.first() else { return Ok(Command::Help(None)) };
    let name = name.to_string_lossy();
    let command = options::find_command(&name).ok_or_else(|| unknown_command(&name))?;
    Ok(Command::Help(Some(command)))
}

fn unknown_command(name: &str) -> String {
    let kind = if name.starts_with('-') { "option" } else { "command" };
    let names = options::COMMANDS.iter().map(|command| command.name).chain(["--help", "--version"]);
    format!("unknown {kind} '{name}'{}", suggestion(name, names))
}

impl Raw<'_> {
    fn check(&self) -> Result<Command, String> {
        let json = self.has(&JSON);
        if let Some(topic) = Topic::from_name(self.command.name) {
            return Ok(Command::Ask { question: self.question(topic)?, backend: self.backend()?, json });
        }
        match self.command.name {
            "report" if self.has(&MONTH) => self.month_report(),
            "report" => {
                let of_month = [&REPORT_FORMAT, &LANG, &ADDRESSES, &DB, &UBUS];
                if let Some(option) = of_month.iter().find(|option| self.has(option)) {
                    return Err(format!("--{} goes with --month", option.name));
                }
                Ok(Command::Report { input: self.input()?, question: self.question(Topic::Summary)?, json })
            }
            "import" => Ok(Command::Import { input: self.input()?, backend: self.owned()? }),
            "backup" => self.upkeep(StoreCommand::Backup(self.operand().into())),
            "restore" => self.upkeep(StoreCommand::Restore(self.operand().into())),
            "forget" => self.upkeep(StoreCommand::Forget(self.forget()?)),
            "export" => self.export(),
            "block" => Ok(Command::Block {
                target: self.target()?,
                length: self.get(&FOR, values::block_length)?.unwrap_or_default(),
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

    fn upkeep(&self, work: StoreCommand) -> Result<Command, String> {
        Ok(Command::Upkeep { work, backend: self.owned()?, json: self.has(&JSON) })
    }

    /// The store of a command that changes it: the running daemon's, or a directory.
    fn owned(&self) -> Result<Backend, String> {
        match self.path(&STORE)? {
            Some(_) if self.has(&UBUS) => {
                Err("--db and --ubus: give one of them, a store or a daemon".to_string())
            }
            Some(directory) => Ok(Backend::Store(StoreOptions::of(directory))),
            None => Ok(Backend::Daemon { ubus: self.ubus()? }),
        }
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
        match (self.path(&IMPORT)?, self.path(&APPEND)?) {
            (Some(_), Some(_)) => Err("--import and --append: give one of them".to_string()),
            (Some(file), None) => Ok(Action::Import(file)),
            (None, Some(file)) => Ok(Action::Append(file)),
            (None, None) => Ok(Action::Print),
        }
    }

    fn block_list(&self) -> Result<Command, String> {
        let (action, all) = (self.list_action()?, self.has(&ALL));
        let is_import = matches!(action, Action::Import(_));
        if all && is_import {
            return Err("--all goes with the blocks that there are, not with --import".to_string());
        }
        let length = self.get(&FOR, values::block_length)?;
        if length.is_some() && !is_import {
            return Err("--for goes with --import".to_string());
        }
        Ok(Command::BlockList { action, all, length: length.and_then(Length::text), ubus: self.ubus()? })
    }

    fn month_report(&self) -> Result<Command, String> {
        let of_files = [&FROM, &TO, &CLASS, &MIN, &LIMIT, &JSON, &YEAR, &WAN];
        if let Some(option) = of_files.iter().find(|option| self.has(option)) {
            return Err(format!("--{} goes with log files, not with --month", option.name));
        }
        if let Some(file) = self.operands.first() {
            return Err(format!("unexpected '{}': give log files or --month", file.to_string_lossy()));
        }
        let month = self.get(&MONTH, values::month)?.ok_or("--month needs a value: YYYY-MM")?;
        let wanted = Wanted {
            month,
            form: self.get(&REPORT_FORMAT, values::report_form)?.unwrap_or(Form::Text),
            language: self.get(&LANG, values::language)?.unwrap_or(Language::English),
            addresses: self.has(&ADDRESSES),
        };
        Ok(Command::MonthReport { wanted, backend: self.backend()? })
    }

    fn question(&self, topic: Topic) -> Result<Question, String> {
        let mut question = Question::new(topic);
        if topic == Topic::Source {
            question.set("address", &self.operand().to_string_lossy())?;
        }
        for option in
            [&FROM, &TO, &CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &MIN, &LIMIT, &CURSOR, &FILTER]
        {
            if let Some(text) = self.get(option, |text| Ok(text.to_string()))? {
                question.set(option.name, &text).map_err(|wrong| format!("--{}: {wrong}", option.name))?;
            }
        }
        question.check(self.has(&CLASS))?;
        values::port_of(question.protocol, question.port).map_err(|error| format!("--port: {error}"))?;
        Ok(question)
    }

    fn backend(&self) -> Result<Backend, String> {
        let timezone = self.get(&TIMEZONE, values::timezone)?;
        match self.path(&DB)? {
            Some(_) if self.has(&UBUS) => {
                Err("--db and --ubus: give one of them, a store or a daemon to ask".to_string())
            }
            Some(directory) => {
                let (countries, networks) = (self.countries()?, self.path(&NETWORKS)?);
                Ok(Backend::Store(StoreOptions { directory, timezone, countries, networks }))
            }
            None if self.has(&COUNTRIES) || self.has(&NETWORKS) => {
                let option = if self.has(&COUNTRIES) { &COUNTRIES } else { &NETWORKS };
                Err(format!("--{} goes with --db: the daemon has its own", option.name))
            }
            None if timezone.is_some() => {
                Err("--timezone goes with --db: the daemon answers in the router's own zone".to_string())
            }
            None => Ok(Backend::Daemon { ubus: self.ubus()? }),
        }
    }

    fn countries(&self) -> Result<PathBuf, String> {
        self.path_or(&COUNTRIES, DEFAULT_COUNTRIES)
    }

    fn input(&self) -> Result<Input, String> {
        Ok(Input {
            files: self.operands.iter().map(PathBuf::from).collect(),
            timezone: self.get(&TIMEZONE, values::timezone)?,
            year: self.get(&YEAR, values::year)?,
            wan: self.all(&WAN, values::interface)?,
            lan: self.all(&LAN, values::interface)?,
            firewall: self.value(&FIREWALL).map(PathBuf::from),
            countries: self.countries()?,
        })
    }

    fn export(&self) -> Result<Command, String> {
        let Some(format) = self.get(&FORMAT, export_format)? else {
            return Err("no format is given: add --format prometheus, json, csv or ndjson".to_string());
        };
        let range = Range { from: self.get(&FROM, date)?, to: self.get(&TO, date)? };
        if format != Format::Ndjson && range != Range::default() {
            return Err(
                "--from and --to go with --format ndjson: the other formats have no range".to_string()
            );
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

#[cfg(test)]
mod tests;
