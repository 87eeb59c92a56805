'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.countries as countries';
'require fwstat.data as data';
'require fwstat.text as text';

/* From which countries and networks, of everything or of one port. */

function load(state, today) {
	const to = state.to || today, range = { from: state.from || text.plusDays(to, -29), to: to };
	const [ protocol, port ] = (state.service || '').split('/');
	const asked = Object.assign({ protocol: protocol, port: port }, range);
	return Promise.all([
		data.attempt('countries', Object.assign({ limit: 250 }, asked)),
		data.attempt('services', Object.assign({ limit: 30 }, range)),
		data.attempt('status').then((status) => (status.asns && status.asns.state == 'ok' ? data.attempt('asns', Object.assign({ limit: 100 }, asked)) : Promise.resolve(null))
			.then((networks) => ({ status: status, networks: networks })))
	]).then(([ answer, services, more ]) => Object.assign({ today: today, range: range, answer: answer, services: services.services || [] }, more));
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'countries',
		load: (state) => data.today().then((today) => load(state, today)),
		draw: (state, loaded, tab) => {
			const services = loaded.services.map((row) => [ row.protocol + '/' + (row.port == null ? '' : row.port), text.namedService(row) ]);
			/* Also when it is not among the services of this range. */
			if (state.service && !services.some(([ name ]) => name == state.service)) services.unshift([ state.service, state.service.toUpperCase().replace('/', ' ').trim() ]);
			return [ page.section(_('Countries'), [
				page.period(tab, loaded.today, loaded.range.from, loaded.range.to),
				countries.list(loaded.answer, tab, loaded.range), countries.source(loaded.status)
			], page.choice(tab, 'service', _('Service'), [ [ '', _('all') ] ].concat(services), state.service || '')), countries.networks(loaded.networks, tab) ];
		}
	})
});
