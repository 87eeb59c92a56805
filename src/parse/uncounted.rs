//! The reasons why a line that looks like a packet is not counted, as text.

/// A line holds `SRC=` and `DST=`, and yet it is no event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Uncounted {
    /// It has another program's tag.
    OtherProgram,
    /// The facility is not the kernel's; the tag is, or there is none.
    NotTheKernel,
    /// No tag, and what stands before `IN=` is no known log prefix; or `IN=` and `OUT=` are missing.
    Untagged,
    /// The log prefix says that the packet was let through or only watched.
    Accepted,
    /// The timestamp cannot be read.
    Time,
    /// An address behind `SRC=` or `DST=` cannot be read.
    Address,
    TooLong,
}

impl Uncounted {
    /// A clause for people. `program`: the name in the tag, for [`Uncounted::OtherProgram`].
    pub fn text(self, program: &str) -> String {
        match self {
            Uncounted::OtherProgram if program.is_empty() => "written by another program, not by the kernel",
            Uncounted::OtherProgram => return format!("written by '{program}', not by the kernel"),
            Uncounted::NotTheKernel => "the facility is a program's, not the kernel's",
            Uncounted::Untagged => "without 'kernel:' and without a known log prefix before IN= and OUT=",
            Uncounted::Accepted => "the firewall let the packet pass",
            Uncounted::Time => "the time cannot be read",
            Uncounted::Address => "damaged or cut: no address can be read behind SRC= or DST=",
            Uncounted::TooLong => "longer than any log line",
        }
        .to_string()
    }
}
