'use strict';
'require baseclass';
'require rpc';
'require uci';
'require fwstat.page as page';
'require fwstat.text as text';

/* Who an address is: its name, and links to what others know of it. Nothing is asked of the outside before somebody chooses it. */

const el = page.el;
const LINKS = [
	'RDAP|https://client.rdap.org/?type=ip&object={address}', 'AbuseIPDB|https://www.abuseipdb.com/check/{address}', 'Shodan|https://www.shodan.io/host/{address}'
];
const INSIDE = /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1$)/i;
const TIMEOUT_MS = 5000;

const lookup = rpc.declare({ object: 'network.rrdns', method: 'lookup', params: [ 'addrs', 'timeout', 'limit' ], reject: true });
const hostHints = rpc.declare({ object: 'luci-rpc', method: 'getHostHints', reject: true });
/* Names that were found, by address. */
const names = {};
let hosts = null;

/* `Name|https://...{address}...` */
function link(written) {
	const match = /^\s*([^|]{1,40})\|(https?:\/\/\S+)$/.exec(written || '');
	return match && match[2].includes('{address}') ? { name: match[1], url: match[2] } : null;
}

/* LuCI's names of the devices inside, by address. */
function devices() {
	hosts = hosts || hostHints().then((hints) => {
		const known = {};
		Object.values(hints || {}).forEach((host) => [ host.ipaddrs, host.ip6addrs, host.ipv4, host.ipv6 ].flat()
			.forEach((address) => { if (address && host.name) known[address] = host.name; }));
		return known;
	}).catch(() => ({}));
	return hosts;
}

const shown = (name) => name ? String(name).slice(0, 255) : _('no name is known');

/* Puts the name into the element, or what offers to look it up. */
function fill(node, address) {
	if (names[address] !== undefined) return node.replaceChildren(shown(names[address]));
	if (INSIDE.test(address))
		return devices().then((known) => node.replaceChildren(shown(known[address])));
	node.replaceChildren(page.button(_('Look up'), (event) => {
		event.target.disabled = true;
		lookup([ address ], TIMEOUT_MS, 1).then((found) => {
			names[address] = found[address] || '';
			fill(node, address);
		}).catch((error) => node.replaceChildren(_('The router could not look it up (%s). It needs the package rpcd-mod-rrdns and a name server.').format(error && error.message || error)));
	}, { name: 'lookup', 'class': 'btn cbi-button fw-chip', title: _('Asks the router\'s name server for the name of the address.') }));
}

return baseclass.extend({
	link: link,

	/* The host name; nothing where addresses are masked. */
	name: (address, masked) => {
		if (masked) return null;
		const node = el('dd', { 'data-fact': 'name' });
		fill(node, address);
		return [ el('dt', {}, _('Name')), node ];
	},

	/* The links, those of the configuration or the usual ones. Of an address inside nobody outside knows. */
	links: (address, masked) => {
		if (masked || INSIDE.test(address)) return null;
		const node = el('dd', { 'data-fact': 'links', 'class': 'fw-tools' });
		L.resolveDefault(uci.load('fwstat')).then(() => {
			const own = [ uci.get('fwstat', 'page', 'link') ].flat().filter(Boolean);
			node.replaceChildren(...(own.length ? own : LINKS).map(link).filter(Boolean).map((one) => el('a', {
				href: one.url.replaceAll('{address}', encodeURIComponent(address)), target: '_blank', rel: 'noreferrer noopener'
			}, one.name)));
		});
		return [ el('dt', {}, _('External information')), node ];
	}
});
