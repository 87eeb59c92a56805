//! The firewall's own counters of our rules: asks `nft` in a process of its own, never waits for it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::nft::run::command;
use crate::parse::json::Reader;

/// Longer rulesets are not read.
const MOST_BYTES: usize = 1 << 20;
const LIMIT_MS: u64 = 5_000;
/// Asked again at most so often.
const AGAIN_MS: u64 = 1_000;
const MOST_ZONES: usize = 16;

#[derive(Default)]
pub struct CounterPoll {
    running: Option<Running>,
    asked_ms: Option<u64>,
    /// Packets by zone; `None` while not known.
    pub zones: Option<Vec<(String, u64)>>,
    /// Why not.
    pub why: Option<String>,
}

struct Running {
    child: Child,
    out: ChildStdout,
    bytes: Vec<u8>,
    until: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CounterPoll {
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.out.as_fd())
    }

    pub fn deadline(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.until)
    }

    /// Starts to ask, unless it was just done.
    pub fn ask(&mut self, now_ms: u64) {
        if self.running.is_some() || self.asked_ms.is_some_and(|at| now_ms < at.saturating_add(AGAIN_MS)) {
            return;
        }
        self.asked_ms = Some(now_ms);
        match start(now_ms) {
            Ok(running) => self.running = Some(running),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.failed("nft is missing: the rules' counters can't be read");
            }
            Err(error) => self.failed(&format!("cannot run nft: {error}")),
        }
    }

    fn failed(&mut self, why: &str) {
        self.running = None;
        self.zones = None;
        self.why = Some(why.to_string());
    }

    pub fn on_time(&mut self, now_ms: u64) {
        if self.deadline().is_some_and(|until| now_ms >= until) {
            self.failed("nft does not answer: the rules' counters can't be read");
        }
    }

    pub fn read(&mut self) {
        let Some(running) = &mut self.running else { return };
        // On the heap: it would widen the stack of whoever this is made part of.
        let mut piece = vec![0; 16 * 1024];
        match running.out.read(&mut piece) {
            Ok(0) => {}
            Ok(count) if running.bytes.len() + count > MOST_BYTES => {
                return self.failed("the firewall's ruleset is too long: the rules' counters can't be read");
            }
            Ok(count) => return running.bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => return self.failed(&format!("cannot read from nft: {error}")),
        }
        match zones(&running.bytes) {
            Some(zones) => {
                (self.zones, self.why, self.running) = (Some(zones), None, None);
            }
            None => self.failed("nft's answer can't be read: may fwstat list the ruleset?"),
        }
    }
}

fn start(now_ms: u64) -> io::Result<Running> {
    // Terse: without the elements of sets.
    let mut child = command()?.args(["-j", "-t", "list", "ruleset"]).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    fcntl(&out, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(Running { child, out, bytes: Vec::new(), until: now_ms.saturating_add(LIMIT_MS) })
}

/// The sums of the counters in rules with the comment `fwstat <zone>`.
pub fn zones(json: &[u8]) -> Option<Vec<(String, u64)>> {
    let mut zones: Option<Vec<(String, u64)>> = None;
    let mut reader = Reader::new(json);
    reader.table(&mut |reader, key| {
        if key != "nftables" {
            return reader.skip();
        }
        let zones = zones.insert(Vec::new());
        reader.list(&mut |reader| {
            reader.table(&mut |reader, key| if key == "rule" { rule(reader, zones) } else { reader.skip() })
        })
    })?;
    reader.end()?;
    zones
}

fn rule(reader: &mut Reader<'_>, zones: &mut Vec<(String, u64)>) -> Option<()> {
    let (mut comment, mut counted) = (None, None);
    reader.table(&mut |reader, key| match key {
        "comment" => reader.text().map(|text| comment = Some(text)),
        "expr" => reader.list(&mut |reader| statement(reader, &mut counted)),
        _ => reader.skip(),
    })?;
    let (Some(comment), Some(packets)) = (comment, counted) else { return Some(()) };
    let Some(zone) = comment.strip_prefix("fwstat ") else { return Some(()) };
    if let Some((_, sum)) = zones.iter_mut().find(|(known, _)| known == zone) {
        *sum = sum.saturating_add(packets);
    } else if zones.len() < MOST_ZONES {
        zones.push((zone.to_string(), packets));
    }
    Some(())
}

/// The packets of a rule's first counter; a named one is a text instead of a table.
fn statement(reader: &mut Reader<'_>, counted: &mut Option<u64>) -> Option<()> {
    if !reader.at_table() {
        return reader.skip();
    }
    reader.table(&mut |reader, key| {
        if key != "counter" || counted.is_some() || !reader.at_table() {
            return reader.skip();
        }
        reader.table(&mut |reader, key| {
            if key == "packets" {
                reader.count().map(|packets| *counted = Some(packets))
            } else {
                reader.skip()
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_our_rules_are_summed_by_zone() {
        let json = br#"{"nftables": [{"metainfo": {"version": "1.1.1"}}, {"table": {"family": "inet"}},
            {"rule": {"comment": "fwstat wan", "expr": [{"match": {"op": "=="}},
                {"counter": {"packets": 5, "bytes": 200}}, {"log": {"group": 32}}]}},
            {"rule": {"comment": "fwstat wan", "expr": [{"counter": {"packets": 2, "bytes": 80}}]}},
            {"rule": {"comment": "fwstat guest", "expr": [{"counter": "named"}, {"drop": null}]}},
            {"rule": {"comment": "!fw4: x", "expr": [{"counter": {"packets": 9, "bytes": 1}}]}}]}"#;
        assert_eq!(zones(json), Some(vec![("wan".to_string(), 7)]));
        assert_eq!(zones(b"{\"nftables\": []}"), Some(vec![]));
        for wrong in [
            "Operation not permitted",
            "",
            "{}",
            "{\"nftables\": []",
            "{\"nftables\": []} x",
            "{\"nftables\": [{\"rule\": {\"comment\": 5}}]}",
        ] {
            assert_eq!(zones(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
