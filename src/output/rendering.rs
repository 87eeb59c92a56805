//! The output that a caller requests: its questions, and the form of the answers.
//!
//! Takes the answers one after the other, gives a record or text. Answers no question itself: the daemon does that in
//! steps of a month, between other work.

use std::io::{self, Write};

use ubus::blobmsg::BlobMsgTable;

use super::blobmsg::MAX_ANSWER;
use super::month_report::MonthReport;
use super::prometheus::Metrics;
use super::tables::{self, Style};
use crate::query::advice::ReadAdvice;
use crate::query::question::Question;
use crate::query::record::Field;
use crate::query::{Answer, AnswerError};
use crate::ubus::blob;

/// The key of an answer that is text.
pub const TEXT: &str = "text";

/// The reply to the caller; `None` if a further question is needed.
type Rendered = Result<Option<BlobMsgTable>, AnswerError>;

/// The form of an answer, and the questions that it needs.
#[derive(Debug)]
pub enum Rendering {
    /// The answer with all its fields, as `--json` has it.
    Record(Question),
    /// The answer as text for people.
    Table(Question, Style),
    /// The report of a month.
    Report(Box<MonthReport>),
    /// The Prometheus metrics.
    Metrics(Box<Metrics>),
}

impl Rendering {
    /// The next question.
    pub fn question(&self) -> Option<Question> {
        match self {
            Rendering::Record(question) | Rendering::Table(question, _) => Some(question.clone()),
            Rendering::Report(report) => report.question(),
            Rendering::Metrics(metrics) => metrics.question(),
        }
    }

    /// Takes the answer to that question. An error is the reply, without further questions.
    pub fn take(&mut self, answered: Result<Answer, AnswerError>, services: ReadAdvice) -> Rendered {
        match self {
            Rendering::Record(_) => return Ok(Some(blob::table(&answered?))),
            Rendering::Table(_, style) => {
                let answer = answered?;
                return text(|out| tables::write_answer(&answer, style, out));
            }
            Rendering::Report(report) => report.take(answered)?,
            Rendering::Metrics(metrics) => metrics.take(answered)?,
        }
        match self {
            _ if self.question().is_some() => Ok(None),
            Rendering::Report(report) => text(|out| report.write(services, out)),
            Rendering::Metrics(metrics) => text(|out| metrics.write(out)),
            Rendering::Record(_) | Rendering::Table(..) => Ok(None),
        }
    }
}

/// A text buffer bounded to a little more than [`MAX_ANSWER`] bytes: a longer text is refused like any answer that is
/// too long.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() > MAX_ANSWER {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // A string of blobmsg ends with the first NUL.
        self.0.extend(bytes.iter().filter(|byte| **byte != 0));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Rendered {
    let mut out = Bounded(Vec::new());
    // It fails only if the text is too long.
    let _ = write(&mut out);
    let text = String::from_utf8_lossy(&out.0);
    Ok(Some(blob::table(&[(TEXT, &&*text as &dyn Field)])))
}
