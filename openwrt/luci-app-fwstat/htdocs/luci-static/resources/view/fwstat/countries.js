'use strict';
'require view';
'require fwstat.page as page';
'require fwstat.countries as countries';
'require fwstat.data as data';
'require fwstat.text as text';

/* From which countries, of everything or of one port. */

function load(state, today) {
	const to = state.to || today, range = { from: state.from || text.plusDays(to, -29), to: to };
	const [ protocol, port ] = (state.service || '').split('/');
	return Promise.all([
		data.attempt('countries', Object.assign({ limit: 250, protocol: protocol, port: port }, range)),
		data.attempt('services', Object.assign({ limit: 30 }, range)), data.attempt('status')
	]).then(([ answer, services, status ]) => ({ today: today, range: range, answer: answer, services: services.services || [], status: status }));
}

return view.extend({
	handleSave: null, handleSaveApply: null, handleReset: null,

	render: () => page.open({
		name: 'countries',
		load: (state) => data.today().then((today) => load(state, today)),
		draw: (state, loaded, tab) => page.section(_('Countries'), [
			page.period(tab, loaded.today, loaded.range.from, loaded.range.to),
			countries.list(loaded.answer, tab, loaded.range), countries.source(loaded.status)
		], page.choice(tab, 'service', _('Service'), [ [ '', _('all') ] ].concat(loaded.services.map((row) => [ row.protocol + '/' + (row.port == null ? '' : row.port), text.namedService(row) ])), state.service || ''))
	})
});
