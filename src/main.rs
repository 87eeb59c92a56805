//! fwstat: arguments -> command -> exit code (0 answered, 1 failed, 2 wrong usage).

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use fwstat::cli::arguments::{self, Command};
use fwstat::cli::shell::{self, Outcome, ShellError};
use fwstat::cli::{check, client, help, lists, upkeep};
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
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let ran = run(command, &mut out);
    // What was answered before a failure still comes first.
    let flushed = out.flush();
    let Outcome { notes, failures } = match ran.and_then(|outcome| Ok(flushed.map(|()| outcome)?)) {
        Ok(outcome) => outcome,
        // The reader of the pipe has closed it, as `head` does.
        Err(ShellError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::fine(),
        Err(ShellError::Output(error)) => Outcome::failed(format!("cannot write the answer: {error}")),
        Err(ShellError::Failure(sentence)) => Outcome::failed(sentence),
    };
    notes.iter().chain(&failures).for_each(|sentence| complain(sentence));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
        Command::Ask { question, arguments, backend, json } => {
            return shell::ask(&question, arguments, &backend, json, out);
        }
        Command::Export { format, backend, range } => return shell::export(format, &range, &backend, out),
        Command::MonthReport { wanted, backend } => return shell::month(wanted, &backend, out),
        Command::Block { target, length, reason, ubus } => {
            client::block(target, length.as_deref(), reason.as_deref(), &ubus, out)?;
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
            return Err(format!("cannot run {NOTIFIER}: {error}").into());
        }
        Command::Check(paths) => return check::run(&paths, out),
        Command::Daemon(paths) => daemon::run(paths)?,
    }
    Ok(Outcome::fine())
}
