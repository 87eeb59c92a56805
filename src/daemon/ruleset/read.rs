//! The JSON of `nft -j -t list ruleset` -> [`Ruleset`].
//!
//! Takes nft's output, gives a bounded number of rules; `None` if it is no ruleset.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Chain, MAX_RULES, OURS, Reading, Rule, Ruleset, Verdict};

/// A longer object is not parsed: its tree takes up to thirty times the bytes of its text.
const MAX_OBJECT: usize = 32 << 10;

impl Ruleset {
    /// `None` where the text is not what nft prints.
    pub fn read(json: &[u8]) -> Option<Ruleset> {
        // Of a long ruleset one object at a time is a tree in memory.
        let whole: BTreeMap<String, &RawValue> = serde_json::from_slice(json).ok()?;
        let objects: Vec<&RawValue> = serde_json::from_str(whole.get("nftables")?.get()).ok()?;
        let mut ruleset = Ruleset::default();
        for object in objects.into_iter().map(RawValue::get) {
            if object.len() <= MAX_OBJECT {
                ruleset.add(&serde_json::from_str(object).ok()?)?;
            } else {
                // The effect of a rule that is not parsed is unknown.
                ruleset.cut |= object.starts_with("{\"rule\"");
            }
        }
        Some(ruleset)
    }

    /// Adds an object of the list. `None`: it is not what nft prints.
    fn add(&mut self, object: &Value) -> Option<()> {
        let (kind, object) = object.as_object()?.iter().next()?;
        match kind.as_str() {
            "table" if self.tables.len() < MAX_RULES => {
                let (family, name) = (text(object, "family")?, text(object, "name")?);
                self.tables.push((family, name, count(object, "handle")?));
            }
            "rule" => self.add_rule(object)?,
            "chain" => self.add_chain(object)?,
            "counter" if self.counters.len() < MAX_RULES => {
                let counter = chain(object, "name")?;
                let id = self.id(&counter.family, &counter.table, count(object, "handle")?);
                self.counters.insert(counter, Reading { id, packets: count(object, "packets")? });
            }
            _ => {}
        }
        Some(())
    }

    /// A table is listed before its objects. Handles are small, since they are assigned in sequence.
    fn id(&self, family: &str, table: &str, handle: u64) -> u64 {
        let known = self.tables.iter().find(|(of, name, _)| of == family && name == table);
        handle.wrapping_add(known.map_or(0, |(.., handle)| *handle) << 32)
    }

    /// Adds a rule if it refuses, logs, limits or is ours.
    fn add_rule(&mut self, object: &Value) -> Option<()> {
        let chain = chain(object, "chain")?;
        let id = self.id(&chain.family, &chain.table, count(object, "handle")?);
        let mut rule = Rule { chain, comment: text(object, "comment")?, ..Rule::default() };
        for statement in object["expr"].as_array().into_iter().flatten() {
            for (key, value) in statement.as_object().into_iter().flatten() {
                if key == "counter" {
                    rule.counter = self.counter(&rule.chain, id, value)?;
                } else {
                    rule.add_statement(key, value)?;
                }
            }
        }
        if rule.has_map {
            // A counter does not tell what a map drops from what it accepts.
            rule.counter = None;
        }
        let matters = rule.refuses() || rule.logs || rule.limit.is_some() || rule.comment.starts_with(OURS);
        if matters && self.rules.len() < MAX_RULES {
            self.rules.push(rule);
        } else {
            self.cut |= matters;
        }
        Some(())
    }

    /// The reading of a rule's statement `counter`; the inner `None`: no counter has this name. `id`: the rule's. Named
    /// counters are listed before the rules of their table.
    fn counter(&self, chain: &Chain, id: u64, value: &Value) -> Option<Option<Reading>> {
        Some(match value.as_str() {
            Some(name) => self.counters.get(&Chain { name: name.into(), ..chain.clone() }).copied(),
            None => Some(Reading { id, packets: count(value, "packets")? }),
        })
    }

    /// Adds a base chain.
    fn add_chain(&mut self, object: &Value) -> Option<()> {
        let chain = chain(object, "name")?;
        let (hook, drops) = (text(object, "hook")?, text(object, "policy")? == "drop");
        if chain.is_fw4() && chain.name == "forward" {
            self.forward_refuses = drops;
        }
        let has_room = self.outbound.len() + self.inbound.len() < MAX_RULES;
        match hook.as_str() {
            // Not a base chain.
            "" => {}
            _ if !has_room => {}
            "output" | "postrouting" | "egress" => self.outbound.push(chain),
            _ => self.inbound.push((chain, drops)),
        }
        Some(())
    }
}

impl Rule {
    /// Adds what a statement of the rule does.
    fn add_statement(&mut self, key: &str, value: &Value) -> Option<()> {
        self.is_limited |= key == "limit";
        let is_match = key == "xt" && value["type"] != "target";
        if is_match || matches!(key, "match" | "limit" | "ct count" | "quota" | "set" | "meter") {
            // A counter before a condition also counts what the rule lets through.
            self.counter = None;
        }
        match key {
            "drop" | "reject" => self.verdict = Verdict::Refuse,
            "jump" | "goto" => (self.verdict, self.target) = (Verdict::Jump, text(value, "target")?),
            // A target of iptables, as nft prints what iptables-nft made.
            "xt" if !is_match && matches!(value["name"].as_str(), Some("REJECT" | "TARPIT")) => {
                self.verdict = Verdict::Refuse;
            }
            "log" if value.get("group").is_some() => self.nflog = Some(count(value, "group")?),
            "log" => self.logs = true,
            "limit" if value.is_object() => {
                self.limit = Some(["rate", "burst", "per"].map(|key| value[key].clone()));
            }
            "vmap" => {
                self.has_map = true;
                // `{"key": ..., "data": {"set": [["invalid", {"drop": null}], ...]}}`, or the name of a map.
                if let Some(name) = value["data"].as_str() {
                    (self.verdict, self.target) = (Verdict::Map, name.trim_start_matches('@').to_string());
                }
                for element in value["data"]["set"].as_array().into_iter().flatten() {
                    match element[1].get("drop") {
                        Some(_) if element[0] != "invalid" => self.verdict = Verdict::Refuse,
                        Some(_) if self.verdict != Verdict::Refuse => self.verdict = Verdict::InvalidDrop,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// A table's object with its name at this key.
fn chain(object: &Value, name: &str) -> Option<Chain> {
    Some(Chain { family: text(object, "family")?, table: text(object, "table")?, name: text(object, name)? })
}

/// A text; empty without the key, `None` if the value is something else.
fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key).map_or(Some(String::new()), |value| value.as_str().map(String::from))
}

/// A number; 0 without the key, `None` if the value is something else.
fn count(object: &Value, key: &str) -> Option<u64> {
    object.get(key).map_or(Some(0), Value::as_u64)
}
