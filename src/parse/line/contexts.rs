//! Caches the part of a line up to the source (log prefix, interfaces, MAC addresses), which repeats from line to line.
//!
//! Takes a line, gives the known path and where the source's address begins. Bounded.

use super::*;

impl LineReader {
    /// The info of the known context that stands at `at`, and where it ends: where the source's address begins. No line
    /// ends within a context.
    #[inline(always)]
    pub(super) fn known_context(&mut self, text: Window, at: usize) -> Option<(PathInfo, usize)> {
        if let Some(known) = self.contexts.first()
            && let Some(end) = known.text.end_at(text, at)
        {
            return Some((known.info, end));
        }
        self.other_context(text, at)
    }

    #[inline(never)]
    fn other_context(&mut self, text: Window, at: usize) -> Option<(PathInfo, usize)> {
        let mut known = self.contexts.iter().enumerate();
        let (index, end) = known.find_map(|(index, known)| Some((index, known.text.end_at(text, at)?)))?;
        self.contexts.swap(0, index);
        Some((self.contexts[0].info, end))
    }

    /// Makes a known context that of the device which sent this message, if they differ in the MAC addresses only: as
    /// [`LineReader::known_context`].
    #[inline(never)]
    pub(super) fn change_device(&mut self, message: &[u8]) -> Option<(PathInfo, usize)> {
        let is_mac = |&equals: &usize| message[..equals].ends_with(b" MAC");
        let (fixed, rest) = message.split_at(memchr::memchr_iter(b'=', message).find(is_mac)? + 1);
        let mac = memchr::memchr(b' ', rest).filter(|&mac| rest[mac..].starts_with(b" SRC="))?;
        let group_mac = netfilter::is_group_mac(&rest[..mac]);
        let differs_in_mac = |known: &KnownContext| {
            let rest = known.text.text().strip_prefix(fixed).unwrap_or_default();
            known.info.way.group_mac == group_mac
                && rest.strip_suffix(b" SRC=").is_some_and(|mac| !mac.contains(&b' '))
        };
        let source_at = fixed.len() + mac + b" SRC=".len();
        let index = self.contexts.iter().position(differs_in_mac).filter(|_| source_at <= LONGEST_CONTEXT)?;
        self.contexts.swap(0, index);
        self.contexts[0].text.set(&message[..source_at]);
        Some((self.contexts[0].info, source_at))
    }

    /// The info of a context that is not known, which it is from now on. It may be the first to name `br-lan`.
    pub(super) fn info(
        &mut self,
        message: &[u8],
        context: &netfilter::Context,
        paths: &mut Paths,
    ) -> PathInfo {
        if !self.lan_bridge && [context.input, context.output].contains(&Some(b"br-lan")) {
            self.set_lan_bridge();
        }
        let info = PathInfo::new(context, Origin::Log, &self.networks, self.lan_bridge, paths);
        let is_plain = (context.input.is_some() || context.output.is_some()) && !context.other_protocol;
        if let Some(source_at) = context.source_at.filter(|&length| is_plain && length <= LONGEST_CONTEXT) {
            self.contexts.truncate(CONTEXTS - 1);
            self.contexts.insert(0, KnownContext { text: Prefix::new(&message[..source_at]), info });
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TCP, reader};
    use super::*;

    #[test]
    fn contexts_that_are_gone_make_room_for_those_of_today() {
        let (mut reader, mut paths) = (reader(), Paths::new());
        let message = |bridge: usize| format!("DROP IN=veth{bridge} OUT= MAC= {TCP}");
        for gone in 0..CONTEXTS {
            reader.read_kernel(message(gone).as_bytes(), 5, &mut paths);
        }
        let mut known = 0;
        for number in 0..100 {
            let message = message(1000 + number % 4);
            let padded = Padded::new(message.as_bytes()).unwrap();
            known += usize::from(reader.known_context(padded.window(), 0).is_some());
            reader.read_kernel(message.as_bytes(), 5, &mut paths);
        }
        assert_eq!(known, 96);
    }
}
