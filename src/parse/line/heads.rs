//! Heads that repeat from line to line: prefix, interfaces and MAC addresses, up to the source.

use super::*;

impl LineReader {
    /// Which known head stands at `at`, and where it ends: where the source's address begins. No line ends within a
    /// head.
    #[inline(always)]
    pub(super) fn known_head(&mut self, text: Window, at: usize, origin: Origin) -> Option<(usize, usize)> {
        if let Some(known) = self.heads.get(self.last_head)
            && known.origin == origin
            && let Some(end) = known.text.end_at(text, at)
        {
            return Some((self.last_head, end));
        }
        self.other_head(text, at, origin)
    }

    #[inline(never)]
    fn other_head(&mut self, text: Window, at: usize, origin: Origin) -> Option<(usize, usize)> {
        let end_at = |known: &KnownHead| {
            if known.origin == origin { known.text.end_at(text, at) } else { None }
        };
        let found = self.heads.iter().map(end_at).enumerate();
        let (index, end) = found.filter_map(|(index, end)| Some((index, end?))).next()?;
        self.last_head = index;
        Some((index, end))
    }

    /// Makes a known head that of the device which sent this message, if they differ in the MAC addresses only.
    #[inline(never)]
    pub(super) fn change_device(&mut self, message: &[u8], origin: Origin) -> Option<()> {
        let begins = |known: &KnownHead| {
            known.origin == origin
                && message
                    .strip_prefix(&known.text.text()[..known.fixed])
                    .is_some_and(|rest| rest.starts_with(b"MAC="))
        };
        let fixed = self.heads.iter().find(|known| begins(known))?.fixed;
        let mac = &message[fixed + b"MAC=".len()..];
        let length = mac.iter().position(|&byte| byte == b' ')?;
        mac[length..].strip_prefix(b" SRC=")?;
        let group_mac = netfilter::is_group_mac(&mac[..length]);
        let same =
            |known: &KnownHead| begins(known) && known.fixed == fixed && known.way.group_mac == group_mac;
        let index = self.heads.iter().position(same)?;
        let source_at = fixed + b"MAC=".len() + length + b" SRC=".len();
        if source_at > LONGEST_HEAD {
            return None;
        }
        self.heads[index].text.set(&message[..source_at]);
        self.last_head = index;
        Some(())
    }

    /// The way of a head that is not known, which it is from now on.
    pub(super) fn way(
        &mut self,
        message: &[u8],
        head: &netfilter::Head,
        origin: Origin,
        paths: &mut Paths,
    ) -> Way {
        let way = self.new_way(head, origin, paths);
        let is_plain = (head.input.is_some() || head.output.is_some()) && !head.other_protocol;
        if let Some(source_at) = head.source_at.filter(|&length| is_plain && length <= LONGEST_HEAD) {
            let fixed = head.mac_at.min(source_at - b"SRC=".len());
            let known = KnownHead { text: Prefix::new(&message[..source_at]), fixed, origin, way };
            if self.heads.len() < HEADS {
                self.heads.push(known);
            } else {
                self.heads[self.next_head] = known;
                self.next_head = (self.next_head + 1) % HEADS;
            }
        }
        way
    }

    pub(super) fn new_way(&mut self, head: &netfilter::Head, origin: Origin, paths: &mut Paths) -> Way {
        let names_lan_bridge = [head.input, head.output].contains(&Some(b"br-lan"));
        if names_lan_bridge && !self.lan_bridge {
            self.set_lan_bridge();
        }
        let path = log_prefix::path(head, origin, &self.networks, self.lan_bridge);
        let ignored = path.accepted || head.other_protocol;
        // What is ignored needs no place in the table.
        let id = if ignored { PathId::default() } else { paths.intern(&path) };
        let Path { direction, verdict, group_mac, .. } = path;
        let is_whole = head.input.is_some() && head.output.is_some();
        let no_tag = is_whole && !head.prefix.split(|&byte| byte == b' ').any(has_pid);
        let is_guessed = self.networks.wan.is_empty() && self.networks.lan.is_empty();
        let forwarded = is_guessed && !path.output.is_empty();
        Way { path: id, direction, verdict, ignored, accepted: path.accepted, forwarded, group_mac, no_tag }
    }
}
