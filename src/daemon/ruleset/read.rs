//! The JSON of `nft -j -t list ruleset` -> [`Ruleset`].
//!
//! Takes nft's output, gives a bounded number of rules; `None` if it is no ruleset.

use super::{Counter, Limit, MAX_RULES, OURS, Reading, Rule, Ruleset, Verdict};
use crate::parse::json::Reader;

impl Ruleset {
    /// `None` where the text is not what nft prints.
    pub fn read(json: &[u8]) -> Option<Ruleset> {
        let mut found: Option<Ruleset> = None;
        let mut reader = Reader::new(json);
        reader.table(&mut |reader, key| {
            if key != "nftables" {
                return reader.skip();
            }
            let ruleset = found.insert(Ruleset::default());
            reader.list(&mut |reader| {
                reader.table(&mut |reader, key| match key {
                    "table" => ruleset.table(reader),
                    "rule" => ruleset.rule(reader),
                    "chain" => ruleset.chain(reader),
                    "counter" => ruleset.counter(reader),
                    _ => reader.skip(),
                })
            })
        })?;
        reader.end()?;
        found
    }

    fn table(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut family, mut name, mut handle) = (String::new(), String::new(), 0);
        reader.table(&mut |reader, key| match key {
            "family" => reader.text().map(|text| family = text),
            "name" => reader.text().map(|text| name = text),
            "handle" => reader.count().map(|number| handle = number),
            _ => reader.skip(),
        })?;
        if self.tables.len() < MAX_RULES {
            self.tables.push((family, name, handle));
        }
        Some(())
    }

    /// A table is listed before what it holds. Handles of both are small: they count up.
    fn made(&self, family: &str, table: &str, handle: u64) -> u64 {
        let known = self.tables.iter().find(|(of, name, _)| of == family && name == table);
        handle.wrapping_add(known.map_or(0, |(.., handle)| *handle) << 32)
    }

    fn rule(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut rule = Rule::default();
        reader.table(&mut |reader, key| match key {
            "family" => reader.text().map(|text| rule.family = text),
            "table" => reader.text().map(|text| rule.table = text),
            "chain" => reader.text().map(|text| rule.chain = text),
            "comment" => reader.text().map(|text| rule.comment = text),
            "handle" => reader.count().map(|number| rule.made = number),
            "expr" => reader.list(&mut |reader| statement(reader, &mut rule)),
            _ => reader.skip(),
        })?;
        rule.made = self.made(&rule.family, &rule.table, rule.made);
        let matters = rule.refuses() || rule.logs || rule.limit.is_some() || rule.comment.starts_with(OURS);
        if matters && self.rules.len() < MAX_RULES {
            self.rules.push(rule);
        } else {
            self.cut |= matters;
        }
        Some(())
    }

    fn chain(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut family, mut table, mut name) = (String::new(), String::new(), String::new());
        let (mut hook, mut policy) = (String::new(), String::new());
        reader.table(&mut |reader, key| {
            let text = match key {
                "family" => &mut family,
                "table" => &mut table,
                "name" => &mut name,
                "hook" => &mut hook,
                "policy" => &mut policy,
                _ => return reader.skip(),
            };
            reader.text().map(|found| *text = found)
        })?;
        if family == "inet" && table == "fw4" && name == "forward" {
            self.forward_refuses = policy == "drop";
        }
        if matches!(hook.as_str(), "output" | "postrouting" | "egress") && self.outbound.len() < MAX_RULES {
            self.outbound.push((family, table, name));
        }
        Some(())
    }

    fn counter(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut name, mut family, mut table) = (String::new(), String::new(), String::new());
        let (mut packets, mut handle) = (0, 0);
        reader.table(&mut |reader, key| match key {
            "name" => reader.text().map(|text| name = text),
            "family" => reader.text().map(|text| family = text),
            "table" => reader.text().map(|text| table = text),
            "handle" => reader.count().map(|number| handle = number),
            "packets" => reader.count().map(|count| packets = count),
            _ => reader.skip(),
        })?;
        if table == "fw4" && family == "inet" && self.counters.len() < MAX_RULES {
            let made = self.made(&family, &table, handle);
            self.counters.insert(name, Reading { packets, made });
        }
        Some(())
    }
}

fn statement(reader: &mut Reader<'_>, rule: &mut Rule) -> Option<()> {
    if !reader.at_table() {
        return reader.skip();
    }
    reader.table(&mut |reader, key| match key {
        "drop" => {
            rule.verdict = Verdict::Drop;
            reader.skip()
        }
        "reject" => {
            rule.verdict = Verdict::Reject;
            reader.skip()
        }
        "jump" | "goto" => {
            rule.verdict = Verdict::Jump;
            reader.table(&mut |reader, key| match key {
                "target" => reader.text().map(|text| rule.target = text),
                _ => reader.skip(),
            })
        }
        "counter" if reader.at_table() => reader.table(&mut |reader, key| match key {
            "packets" => reader.count().map(|packets| rule.counter = Counter::Own(packets)),
            _ => reader.skip(),
        }),
        "counter" => reader.text().map(|name| rule.counter = Counter::Named(name)),
        "log" if reader.at_table() => {
            let mut group = false;
            reader.table(&mut |reader, key| {
                group |= key == "group";
                reader.skip()
            })?;
            (rule.nflog, rule.logs) = (rule.nflog || group, rule.logs || !group);
            Some(())
        }
        "log" => {
            rule.logs = true;
            reader.skip()
        }
        "limit" if reader.at_table() => {
            let mut limit = Limit::default();
            reader.table(&mut |reader, key| match key {
                "rate" => reader.count().map(|rate| limit.rate = rate),
                "burst" => reader.count().map(|burst| limit.burst = burst),
                "per" => reader.text().map(|per| limit.per = per),
                _ => reader.skip(),
            })?;
            rule.limit = Some(limit);
            Some(())
        }
        "vmap" => vmap(reader, rule),
        _ => reader.skip(),
    })
}

/// `{"key": ..., "data": {"set": [["invalid", {"drop": null}], ...]}}`
fn vmap(reader: &mut Reader<'_>, rule: &mut Rule) -> Option<()> {
    reader.table(&mut |reader, key| {
        if key != "data" || !reader.at_table() {
            return reader.skip();
        }
        reader.table(&mut |reader, key| {
            if key != "set" {
                return reader.skip();
            }
            reader.list(&mut |reader| {
                let (mut invalid, mut first) = (false, true);
                reader.list(&mut |reader| {
                    if std::mem::take(&mut first) {
                        return if reader.at_text() {
                            reader.text().map(|text| invalid = text == "invalid")
                        } else {
                            reader.skip()
                        };
                    }
                    if !reader.at_table() {
                        return reader.skip();
                    }
                    reader.table(&mut |reader, key| {
                        if key == "drop" {
                            rule.verdict = if invalid { Verdict::InvalidDrop } else { Verdict::Drop };
                        }
                        reader.skip()
                    })
                })
            })
        })
    })
}
