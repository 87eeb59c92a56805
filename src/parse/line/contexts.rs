//! Caches the part of a line up to the source (log prefix, interfaces, MAC addresses), which repeats from line to line.
//!
//! Takes a line, gives the known path and where the source's address begins. Bounded.

use super::*;

impl LineReader {
    /// Which known context stands at `at`, and where it ends: where the source's address begins. No line ends within a
    /// context.
    #[inline(always)]
    pub(super) fn known_context(
        &mut self,
        text: Window,
        at: usize,
        origin: Origin,
    ) -> Option<(usize, usize)> {
        if let Some(known) = self.contexts.get(self.last_context)
            && known.origin == origin
            && let Some(end) = known.text.end_at(text, at)
        {
            return Some((self.last_context, end));
        }
        self.other_context(text, at, origin)
    }

    #[inline(never)]
    fn other_context(&mut self, text: Window, at: usize, origin: Origin) -> Option<(usize, usize)> {
        let end_at = |known: &KnownContext| {
            if known.origin == origin { known.text.end_at(text, at) } else { None }
        };
        let found = self.contexts.iter().map(end_at).enumerate();
        let (index, end) = found.filter_map(|(index, end)| Some((index, end?))).next()?;
        self.last_context = index;
        Some((index, end))
    }

    /// The info of a context that is not known, which it is from now on.
    pub(super) fn info(
        &mut self,
        message: &[u8],
        context: &netfilter::Context,
        origin: Origin,
        paths: &mut Paths,
    ) -> PathInfo {
        let info = self.new_path(context, origin, paths);
        let is_plain = (context.input.is_some() || context.output.is_some()) && !context.other_protocol;
        if let Some(source_at) = context.source_at.filter(|&length| is_plain && length <= LONGEST_CONTEXT) {
            let known = KnownContext { text: Prefix::new(&message[..source_at]), origin, info };
            if self.contexts.len() < CONTEXTS {
                self.contexts.push(known);
            } else {
                self.contexts[self.next_context] = known;
                self.next_context = (self.next_context + 1) % CONTEXTS;
            }
        }
        info
    }

    /// The info of a context, which may be the first to name `br-lan`.
    pub(super) fn new_path(
        &mut self,
        context: &netfilter::Context,
        origin: Origin,
        paths: &mut Paths,
    ) -> PathInfo {
        let names_lan_bridge = [context.input, context.output].contains(&Some(b"br-lan"));
        if names_lan_bridge && !self.lan_bridge {
            self.set_lan_bridge();
        }
        PathInfo::new(context, origin, &self.networks, self.lan_bridge, paths)
    }
}
