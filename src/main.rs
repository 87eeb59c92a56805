//! fwstat: arguments -> command -> exit code (0 answered, 1 failed, 2 wrong usage).

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use fwstat::cli::arguments::{self, Backend, Command, Format};
use fwstat::cli::check;
use fwstat::cli::client;
use fwstat::cli::fleet_export;
use fwstat::cli::help;
use fwstat::cli::lists;
use fwstat::cli::shell::{self, Outcome, ShellError};
use fwstat::cli::upkeep;
use fwstat::daemon;
use fwstat::output::cells::plain;
use fwstat::sys::memory;

/// A shell script of the package.
const NOTIFIER: &str = "/usr/share/fwstat/notify";

/// 0 answered, 1 failed, 2 wrong usage.
fn main() -> ExitCode {
    memory::begin();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let command = match arguments::parse(&arguments) {
        Ok(command) => command,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let ran = run(command, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    match ran {
        Ok(outcome) => {
            outcome.notes.iter().for_each(|note| complain(note));
            outcome.failures.iter().for_each(|failure| complain(failure));
            if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        // The reader of the pipe has closed it, as `head` does.
        Err(ShellError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(ShellError::Output(error)) => {
            complain(&format!("cannot write the answer: {error}"));
            ExitCode::FAILURE
        }
        Err(ShellError::Failure(sentence)) => {
            // What was answered before the failure still comes first.
            let _ = out.flush();
            complain(&sentence);
            ExitCode::FAILURE
        }
    }
}

fn complain(sentence: &str) {
    // Nowhere is left to complain if standard error is gone.
    let _ = writeln!(io::stderr(), "fwstat: {}", plain(sentence));
}

fn run(command: Command, out: &mut dyn Write) -> Result<Outcome, ShellError> {
    match command {
        Command::Help(None) => help::overview(out)?,
        Command::Help(Some(command)) => help::about(command, out)?,
        Command::Version => help::version(out)?,
        Command::Report { input, question, json } => return shell::report(&input, &question, json, out),
        Command::Import { input, backend } => return shell::import(&input, &backend, out),
        Command::Backup { file, backend, json } => return upkeep::back_up(&backend, &file, json, out),
        Command::Restore { file, backend, json } => return upkeep::restore(&backend, &file, json, out),
        Command::Forget { scope, backend, json } => return upkeep::forget(&backend, scope, json, out),
        Command::Ask {
            question,
            backend: Backend::Store { directory, timezone, countries, networks },
            json,
        } => {
            let databases = (&*countries, networks.as_deref());
            return shell::ask_store(&question, &directory, timezone.as_deref(), databases, json, out);
        }
        Command::Export {
            format: Format::Ndjson,
            backend: Backend::Store { directory, timezone, countries, .. },
            range,
        } => return fleet_export::export(&directory, timezone.as_deref(), &countries, &range, None, out),
        Command::Export { format: Format::Ndjson, backend: Backend::Daemon { ubus }, range } => {
            return client::export_batches(&ubus, &range, out);
        }
        Command::Export { format, backend: Backend::Store { directory, timezone, .. }, .. } => {
            return shell::export_store(format, &directory, timezone.as_deref(), out);
        }
        Command::MonthReport { wanted, backend: Backend::Store { directory, timezone, countries, .. } } => {
            return shell::month_of_store(wanted, &directory, timezone.as_deref(), &countries, out);
        }
        Command::MonthReport { wanted, backend: Backend::Daemon { ubus } } => {
            client::month(wanted, &ubus, out)?
        }
        Command::Ask { question, backend: Backend::Daemon { ubus }, json } => {
            client::ask(&question, &ubus, json, out)?;
        }
        Command::Export { format, backend: Backend::Daemon { ubus }, .. } => {
            client::export(format, &ubus, out)?
        }
        Command::Block { target, length, reason, ubus } => {
            client::block(target, length, reason.as_deref(), &ubus, out)?;
        }
        Command::GuardTest { target, ubus } => client::guard_test(target, &ubus, out)?,
        Command::Unblock { target, ubus } => client::unblock(target, &ubus, out)?,
        Command::BlockList { action, all, length, ubus } => {
            return lists::block_list(&action, all, length.as_deref(), &ubus, out);
        }
        Command::AllowList { action, config } => return lists::allow_list(&action, &config, out),
        Command::Commit { ubus } => client::commit(&ubus, out)?,
        Command::TestNotify => {
            // Only comes back if it cannot start.
            let error = std::process::Command::new(NOTIFIER).arg("--test").exec();
            return Err(ShellError::Failure(format!("cannot run {NOTIFIER}: {error}")));
        }
        Command::Check { config, ubus, run } => {
            return check::run(&daemon::DaemonPaths { config, ubus, run }, out);
        }
        Command::Daemon { config, ubus, run } => {
            let paths = daemon::DaemonPaths { config, ubus, run };
            daemon::run(paths).map_err(ShellError::Failure)?;
        }
    }
    Ok(Outcome::fine())
}
