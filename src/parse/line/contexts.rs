//! Caches the part of a line up to the source (log prefix, interfaces, MAC addresses), which repeats from line to line.
//!
//! Takes a message, gives what is known of it and where the source's address begins. Bounded.

use super::*;

impl LineReader {
    /// What is known of the context that a message begins with, and where it ends: where the source's address begins.
    #[inline]
    pub(super) fn known_context(&mut self, message: &[u8], origin: Origin) -> Option<(PathInfo, usize)> {
        let is_it = |known: &KnownContext| known.origin == origin && message.starts_with(&known.text);
        let place = self.contexts.iter().position(is_it)?;
        self.contexts.swap(0, place);
        let known = &self.contexts[0];
        Some((known.info, known.text.len()))
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
            let known = KnownContext { text: message[..source_at].to_vec(), origin, info };
            // Of a full cache the one goes that was used longest ago, or nearly.
            self.contexts.truncate(CONTEXTS - 1);
            self.contexts.insert(0, known);
        }
        info
    }

    fn new_path(&mut self, context: &netfilter::Context, origin: Origin, paths: &mut Paths) -> PathInfo {
        let names_lan_bridge = [context.input, context.output].contains(&Some(b"br-lan"));
        if names_lan_bridge && !self.lan_bridge {
            self.set_lan_bridge();
        }
        let path = log_prefix::path(context, origin, &self.networks, self.lan_bridge);
        PathInfo::new(&path, context.other_protocol, &self.networks, paths)
    }
}

impl PathInfo {
    /// Of a path, which is put into `paths` if its packets count. `other_protocol`: they are not IP.
    pub fn new(path: &Path, other_protocol: bool, networks: &Networks, paths: &mut Paths) -> PathInfo {
        let ignored = path.accepted || other_protocol;
        let is_guessed = networks.wan.is_empty() && networks.lan.is_empty();
        PathInfo {
            path: if ignored { PathId::default() } else { paths.intern(path) },
            direction: path.direction,
            verdict: path.verdict,
            ignored,
            accepted: path.accepted,
            forwarded: is_guessed && !path.output.is_empty(),
            group_mac: path.group_mac,
        }
    }
}
