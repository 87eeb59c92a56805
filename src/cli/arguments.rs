//! The command line in two steps: raw arguments -> options and operands by name -> a checked [`Command`].
//!
//! Takes the arguments after the program's name, gives plain values or a sentence. Opens nothing;
//! only the time zone files are looked at, so that an unknown zone is wrong usage.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::fleet_export::Range;
use super::lists::Action;
use super::options::{self, CommandRow};
use super::raw_arguments::{Raw, suggestion};
use super::upkeep::ForgetScope;
use super::values;
use crate::output::blobmsg::Length;
use crate::output::cells::plain;
use crate::output::month_report::{Form, Language, Wanted};
use crate::query::filter::Filter;
use crate::query::question::{Prefix, Question, Topic};
use crate::query::target::Target;

/// ubusd's socket on OpenWrt (`UBUS_UNIX_SOCKET` of libubus).
pub const DEFAULT_UBUS: &str = "/var/run/ubus/ubus.sock";
/// The UCI file.
pub const DEFAULT_CONFIG: &str = "/etc/config/fwstat";
/// The country database of the package fwstat-country.
pub const DEFAULT_COUNTRIES: &str = "/usr/share/fwstat/country.mmdb";
/// The service's directory in RAM.
pub const DEFAULT_RUN: &str = "/var/run/fwstat";

/// Where a question or command is executed.
#[derive(Clone, PartialEq, Debug)]
pub enum Backend {
    /// The running daemon, over the ubus socket.
    Daemon { ubus: PathBuf },
    /// A store directory, its days labelled in this zone (`None`: the system's).
    Store { directory: PathBuf, timezone: Option<String>, countries: PathBuf, networks: Option<PathBuf> },
}

/// The log files to read, and what their lines leave open.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// At least one; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// `None`: the system's.
    pub timezone: Option<String>,
    /// `None`: inferred.
    pub year: Option<i32>,
    /// Empty: every interface that does not look like an inner one.
    pub wan: Vec<String>,
    /// Interfaces of the inside.
    pub lan: Vec<String>,
    /// `/etc/config/firewall` of the router that wrote the log.
    pub firewall: Option<PathBuf>,
    /// The country database; it need not be there.
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

/// What is to be done, every value checked.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    Ask {
        question: Question,
        backend: Backend,
        json: bool,
    },
    /// The question's topic is `Summary`; its range and filters hold for every table.
    Report {
        input: Input,
        question: Question,
        json: bool,
    },
    /// A month of what is kept.
    MonthReport {
        wanted: Wanted,
        backend: Backend,
    },
    Import {
        input: Input,
        backend: Backend,
    },
    Backup {
        file: PathBuf,
        backend: Backend,
        json: bool,
    },
    Restore {
        file: PathBuf,
        backend: Backend,
        json: bool,
    },
    Forget {
        scope: ForgetScope,
        backend: Backend,
        json: bool,
    },
    Export {
        format: Format,
        backend: Backend,
        /// Of the batches.
        range: Range,
    },
    Block {
        target: Target,
        length: Length,
        reason: Option<String>,
        ubus: PathBuf,
    },
    GuardTest {
        target: Target,
        ubus: PathBuf,
    },
    Unblock {
        target: Target,
        ubus: PathBuf,
    },
    BlockList {
        action: Action,
        /// Also what the rules blocked.
        all: bool,
        /// As it goes over the bus.
        length: Option<String>,
        ubus: PathBuf,
    },
    AllowList {
        action: Action,
        config: PathBuf,
    },
    Commit {
        ubus: PathBuf,
    },
    /// The notifier's scripts with a test event.
    TestNotify,
    Check {
        config: PathBuf,
        ubus: PathBuf,
        run: PathBuf,
    },
    Daemon {
        config: PathBuf,
        ubus: PathBuf,
        run: PathBuf,
    },
    /// Of one command, or of the whole.
    Help(Option<&'static CommandRow>),
    Version,
}

/// Wrong usage, exit code 2. Its text is one whole sentence, without the program's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageError {
    /// Printable ASCII, whatever was on the command line.
    what: String,
    command: Option<&'static str>,
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command {
            Some(command) => write!(f, "{}; try 'fwstat {command} --help'", self.what),
            None => write!(f, "{}; try 'fwstat --help'", self.what),
        }
    }
}

impl std::error::Error for UsageError {}

/// `args`: what follows the program's name.
pub fn parse(args: &[OsString]) -> Result<Command, UsageError> {
    let wrong = |what: String| UsageError { what: plain(&what), command: None };
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
    let Some(command) = options::find_command(&name) else {
        return Err(wrong(unknown_command(&name)));
    };
    let wrong = |what: String| UsageError { what: plain(&what), command: Some(command.name) };
    match Raw::read(command, rest).map_err(wrong)? {
        Some(raw) => raw.check().map_err(wrong),
        None => Ok(Command::Help(Some(command))),
    }
}

fn help_about(rest: &[OsString]) -> Result<Command, String> {
    let Some(name) = rest.first() else { return Ok(Command::Help(None)) };
    let name = name.to_string_lossy();
    match options::find_command(&name) {
        Some(command) => Ok(Command::Help(Some(command))),
        None => Err(unknown_command(&name)),
    }
}

fn unknown_command(name: &str) -> String {
    let kind = if name.starts_with('-') { "option" } else { "command" };
    let names = options::COMMANDS.iter().map(|command| command.name).chain(["--help", "--version"]);
    format!("unknown {kind} '{name}'{}", suggestion(name, names))
}

impl Raw<'_> {
    fn ubus(&self) -> Result<PathBuf, String> {
        self.path_or(&options::UBUS, DEFAULT_UBUS)
    }

    fn countries(&self) -> Result<PathBuf, String> {
        self.path_or(&options::COUNTRIES, DEFAULT_COUNTRIES)
    }

    fn source(&self, read: fn(&str) -> Result<Prefix, String>) -> Result<Prefix, String> {
        let operand = self.operands.first().map(|operand| operand.to_string_lossy()).unwrap_or_default();
        read(&operand)
    }

    fn check(&self) -> Result<Command, String> {
        if let Some(topic) = Topic::from_name(self.command.name) {
            let (question, backend) = (self.question(topic)?, self.backend()?);
            return Ok(Command::Ask { question, backend, json: self.has(&options::JSON) });
        }
        match self.command.name {
            "report" if self.has(&options::MONTH) => self.month_report(),
            "report" => {
                let of_month = [
                    &options::REPORT_FORMAT,
                    &options::LANG,
                    &options::ADDRESSES,
                    &options::DB,
                    &options::UBUS,
                ];
                if let Some(option) = of_month.iter().find(|option| self.has(option)) {
                    return Err(format!("--{} goes with --month", option.name));
                }
                let (input, question) = (self.input()?, self.question(Topic::Summary)?);
                Ok(Command::Report { input, question, json: self.has(&options::JSON) })
            }
            "import" => Ok(Command::Import { input: self.input()?, backend: self.owned()? }),
            "backup" => Ok(Command::Backup {
                file: self.file(),
                backend: self.owned()?,
                json: self.has(&options::JSON),
            }),
            "restore" => Ok(Command::Restore {
                file: self.file(),
                backend: self.owned()?,
                json: self.has(&options::JSON),
            }),
            "forget" => self.forget(),
            "export" => self.export(),
            "block" => Ok(Command::Block {
                target: self.target()?,
                length: self.get(&options::FOR, values::block_length)?.unwrap_or_default(),
                reason: self.get(&options::REASON, values::short_text)?,
                ubus: self.ubus()?,
            }),
            "guard-test" => Ok(Command::GuardTest { target: self.target()?, ubus: self.ubus()? }),
            "unblock" => Ok(Command::Unblock { target: self.target()?, ubus: self.ubus()? }),
            "blocklist" => self.block_list(),
            "allowlist" => Ok(Command::AllowList {
                action: self.list_action()?,
                config: self.path_or(&options::CONFIG, DEFAULT_CONFIG)?,
            }),
            "commit" => Ok(Command::Commit { ubus: self.ubus()? }),
            "notify" if self.has(&options::TEST) => Ok(Command::TestNotify),
            "notify" => Err("add --test: events are sent by the service".to_string()),
            "check" => Ok(Command::Check {
                config: self.path_or(&options::CONFIG, DEFAULT_CONFIG)?,
                ubus: self.ubus()?,
                run: self.path_or(&options::RUN, DEFAULT_RUN)?,
            }),
            _ => Ok(Command::Daemon {
                config: self.path_or(&options::CONFIG, DEFAULT_CONFIG)?,
                ubus: self.ubus()?,
                run: self.path_or(&options::RUN, DEFAULT_RUN)?,
            }),
        }
    }

    fn file(&self) -> PathBuf {
        self.operands.first().map(PathBuf::from).unwrap_or_default()
    }

    /// A store that is worked on: the running daemon's, or a directory.
    fn owned(&self) -> Result<Backend, String> {
        match self.path(&options::STORE)? {
            Some(_) if self.has(&options::UBUS) => {
                Err("--db and --ubus: give one of them, a store or a daemon".to_string())
            }
            Some(directory) => {
                let countries = PathBuf::from(DEFAULT_COUNTRIES);
                Ok(Backend::Store { directory, timezone: None, countries, networks: None })
            }
            None => Ok(Backend::Daemon { ubus: self.ubus()? }),
        }
    }

    fn forget(&self) -> Result<Command, String> {
        let before = self.get(&options::BEFORE, values::date)?;
        let operand = self.operands.first().map(|operand| Prefix::parse(&operand.to_string_lossy()));
        let source = match (self.get(&options::FORGOTTEN, Prefix::parse)?, operand.transpose()?) {
            (Some(_), Some(_)) => return Err("--source and an address: give one of them".to_string()),
            (option, operand) => option.or(operand),
        };
        let scope = match (before, source) {
            (Some(first), None) => ForgetScope::Before(first),
            (None, Some(prefix)) => ForgetScope::Source(prefix),
            (None, None) => return Err("give --before or --source: what to delete".to_string()),
            _ => return Err("--before and --source: give one of them".to_string()),
        };
        Ok(Command::Forget { scope, backend: self.owned()?, json: self.has(&options::JSON) })
    }

    fn target(&self) -> Result<Target, String> {
        values::target(&self.operands.first().map(|operand| operand.to_string_lossy()).unwrap_or_default())
    }

    fn list_action(&self) -> Result<Action, String> {
        match (self.path(&options::IMPORT)?, self.path(&options::APPEND)?) {
            (Some(_), Some(_)) => Err("--import and --append: give one of them".to_string()),
            (Some(file), None) => Ok(Action::Import(file)),
            (None, Some(file)) => Ok(Action::Append(file)),
            (None, None) => Ok(Action::Print),
        }
    }

    fn block_list(&self) -> Result<Command, String> {
        let action = self.list_action()?;
        let is_import = matches!(action, Action::Import(_));
        if self.has(&options::ALL) && is_import {
            return Err("--all goes with the blocks that there are, not with --import".to_string());
        }
        let length = self.get(&options::FOR, values::block_length)?;
        if length.is_some() && !is_import {
            return Err("--for goes with --import".to_string());
        }
        let length = length.and_then(Length::text);
        Ok(Command::BlockList { action, all: self.has(&options::ALL), length, ubus: self.ubus()? })
    }

    fn month_report(&self) -> Result<Command, String> {
        let of_files = [
            &options::FROM,
            &options::TO,
            &options::CLASS,
            &options::MIN,
            &options::LIMIT,
            &options::JSON,
            &options::YEAR,
            &options::WAN,
        ];
        if let Some(option) = of_files.iter().find(|option| self.has(option)) {
            return Err(format!("--{} goes with log files, not with --month", option.name));
        }
        if let Some(file) = self.operands.first() {
            return Err(format!("unexpected '{}': give log files or --month", file.to_string_lossy()));
        }
        let month = self.get(&options::MONTH, values::month)?.ok_or("--month needs a value: YYYY-MM")?;
        let wanted = Wanted {
            month,
            form: self.get(&options::REPORT_FORMAT, values::report_form)?.unwrap_or(Form::Text),
            language: self.get(&options::LANG, values::language)?.unwrap_or(Language::English),
            addresses: self.has(&options::ADDRESSES),
        };
        Ok(Command::MonthReport { wanted, backend: self.backend()? })
    }

    fn question(&self, topic: Topic) -> Result<Question, String> {
        let default = Question::new(topic);
        let source = match topic {
            Topic::Source => Some(self.source(values::address)?),
            _ => self.get(&options::SOURCE, Prefix::parse)?,
        };
        let question = Question {
            topic,
            from: self.get(&options::FROM, values::date)?,
            to: self.get(&options::TO, values::date)?,
            class: self.get(&options::CLASS, values::class)?.unwrap_or(default.class),
            running: default.running,
            // A filter has its own classes.
            every_class: self.has(&options::FILTER) && !self.has(&options::CLASS),
            protocol: self.get(&options::PROTOCOL, values::protocol)?,
            port: self.get(&options::PORT, values::port)?,
            source,
            country: self.get(&options::COUNTRY, values::country)?,
            min: self.get(&options::MIN, values::whole_number)?.unwrap_or(default.min),
            limit: self.get(&options::LIMIT, values::limit)?.unwrap_or(default.limit),
            cursor: self.get(&options::CURSOR, values::whole_number)?.unwrap_or(default.cursor),
            daily: default.daily,
            filter: self.get(&options::FILTER, Filter::parse)?.unwrap_or_default(),
        };
        if let (Some(from), Some(to)) = (question.from, question.to)
            && from > to
        {
            return Err(format!("--from {from} is after --to {to}"));
        }
        values::port_of(question.protocol, question.port).map_err(|error| format!("--port: {error}"))?;
        Ok(question)
    }

    fn backend(&self) -> Result<Backend, String> {
        let timezone = self.get(&options::TIMEZONE, values::timezone)?;
        match self.path(&options::DB)? {
            Some(_) if self.has(&options::UBUS) => {
                Err("--db and --ubus: give one of them, a store or a daemon to ask".to_string())
            }
            Some(directory) => {
                let networks = self.path(&options::NETWORKS)?;
                Ok(Backend::Store { directory, timezone, countries: self.countries()?, networks })
            }
            None if self.has(&options::COUNTRIES) => {
                Err("--country-database goes with --db: the daemon has its own".to_string())
            }
            None if self.has(&options::NETWORKS) => {
                Err("--as-database goes with --db: the daemon has its own".to_string())
            }
            None if timezone.is_some() => {
                Err("--timezone goes with --db: the daemon answers in the router's own zone".to_string())
            }
            None => Ok(Backend::Daemon { ubus: self.ubus()? }),
        }
    }

    fn input(&self) -> Result<Input, String> {
        Ok(Input {
            files: self.operands.iter().map(PathBuf::from).collect(),
            timezone: self.get(&options::TIMEZONE, values::timezone)?,
            year: self.get(&options::YEAR, values::year)?,
            wan: self.all(&options::WAN, values::interface)?,
            lan: self.all(&options::LAN, values::interface)?,
            firewall: self.value(&options::FIREWALL).map(PathBuf::from),
            countries: self.countries()?,
        })
    }

    fn export(&self) -> Result<Command, String> {
        let format = match self.value(&options::FORMAT).map(|value| value.to_string_lossy()).as_deref() {
            Some("prometheus") => Format::Prometheus,
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some("ndjson") => Format::Ndjson,
            Some(other) => return Err(format!("--format: '{other}' is not prometheus, json, csv or ndjson")),
            None => {
                return Err("no format is given: add --format prometheus, json, csv or ndjson".to_string());
            }
        };
        let range = Range {
            from: self.get(&options::FROM, values::date)?,
            to: self.get(&options::TO, values::date)?,
        };
        if format != Format::Ndjson && range != Range::default() {
            return Err(
                "--from and --to go with --format ndjson: the other formats have no range".to_string()
            );
        }
        Ok(Command::Export { format, backend: self.backend()?, range })
    }
}

#[cfg(test)]
mod tests;
