//! The texts of `--help`: the overview, and one for each command.
//!
//! Takes the rows of `options`, gives text wrapped to a fixed width. Has no text of a command itself.

use std::io::{self, Write};

use super::options::{COMMANDS, CommandRow};
use crate::output::table_layout::write_wrapped;

/// Where the meanings of options and commands begin.
const INDENT: usize = 22;

const EXIT_CODES: &str = "\
Exit codes: 0 answered (also when the reader of the output went away),
            1 failed: one line on standard error says what, where and why,
            2 wrong usage
";

/// `fwstat --help`
pub fn overview(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(
        b"fwstat: statistics of the packets that a router's firewall refused

Usage: fwstat QUERY [OPTION]...               query the running daemon
       fwstat QUERY --db DIR [OPTION]...      query a store, without a daemon
       fwstat report FILE... [OPTION]...      print all tables of log files
       fwstat import --db DIR FILE...         read log files into a store
       fwstat COMMAND --help                  describe a query or command
       fwstat --version
",
    )?;
    let split = COMMANDS.iter().position(|command| command.name() == "report").unwrap_or(0);
    let (questions, others) = COMMANDS.split_at(split);
    for (heading, commands) in [("Queries", questions), ("Other commands", others)] {
        writeln!(out, "\n{heading}:")?;
        for command in commands {
            write_row(command.usage, command.brief, out)?;
        }
    }
    out.write_all(
        b"
Most queries take --from, --to, --class, --protocol, --port, --source,
--country, --min, --limit, --json and --db. --port 22 and --port=22 are equal.
Tables have colours and bars only on a terminal; NO_COLOR disables colours.

Examples:
  fwstat report /var/log/messages*
  fwstat services --min 100
  fwstat sources --port 23 --from 2020-04-01 --to 2020-04-10 --json

",
    )?;
    out.write_all(EXIT_CODES.as_bytes())
}

/// `fwstat <command> --help`
pub fn about(command: &CommandRow, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Usage: fwstat {} [OPTION]...\n", command.usage)?;
    write_wrapped(command.about, 0, out)?;
    writeln!(out, "\nOptions:")?;
    for option in command.options {
        write_row(&format!("--{}", option.usage), option.meaning, out)?;
    }
    write_row("--help", "print this text", out)?;
    writeln!(out, "\nExamples:")?;
    for example in command.examples {
        writeln!(out, "  {example}")?;
    }
    writeln!(out)?;
    out.write_all(EXIT_CODES.as_bytes())
}

/// `fwstat --version`
pub fn version(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "fwstat {}", env!("CARGO_PKG_VERSION"))
}

/// A name and, from column INDENT on, what it means.
fn write_row(name: &str, meaning: &str, out: &mut dyn Write) -> io::Result<()> {
    if name.len() < INDENT - 2 {
        write!(out, "  {name:<width$}", width = INDENT - 2)?;
    } else {
        write!(out, "  {name}\n{:INDENT$}", "")?;
    }
    write_wrapped(meaning, INDENT, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::golden::{golden, text};
    use crate::query::question::Topic;

    #[test]
    fn no_line_is_longer_than_a_terminal() {
        let mut all = text(overview);
        for command in &COMMANDS {
            all += &text(|out| about(command, out));
        }
        for line in all.lines() {
            assert!(line.len() <= crate::output::table_layout::WRAP_WIDTH, "{line}");
            assert_eq!(line.trim_end(), line);
            assert!(line.is_ascii());
        }
    }

    #[test]
    fn every_question_is_a_command() {
        for (topic, name) in Topic::ALL.iter().copied() {
            assert!(COMMANDS.iter().any(|command| command.name() == name), "{topic:?}");
        }
    }

    #[test]
    fn every_example_is_right_usage() {
        for command in &COMMANDS {
            for example in command.examples {
                let words =
                    example.split(" > ").next().unwrap().rsplit("| ").next().unwrap().replace('\'', "");
                let words = words.replace("guesses passwords", "guesses");
                let args: Vec<_> = words.split(' ').skip(1).map(Into::into).collect();
                if let Err(error) = super::super::arguments::parse(&args) {
                    panic!("{example}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_whole_help_is_as_written() {
        golden("help", overview);
    }

    #[test]
    fn the_help_of_a_command_is_as_written() {
        let command = super::super::options::find_command("services").unwrap();
        golden("help-services", |out| about(command, out));
    }
}
