'use strict';
'require baseclass';
'require fwstat.page as page';
'require fwstat.data as data';
'require fwstat.text as text';
'require fwstat.words as words';

/* Attempts by hour of the day and day of the week, as colours. */

const el = page.el;
const WEEKS = 4;
const HOURS = [ ...Array(24).keys() ];

/* The middle one of the numbers, so that one flood does not change it. */
function median(numbers) {
	const sorted = numbers.slice().sort((a, b) => a - b), middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* By weekday, from Monday on, the usual attempts of each hour; null for a weekday of which no hours are kept. */
function usual(days) {
	return HOURS.slice(0, 7).map((weekday) => {
		const those = days.filter((day) => day.hours.length && text.weekdayOf(day.date) == weekday);
		return those.length ? HOURS.map((hour) => median(those.map((day) => day.hours.filter((row) => row.hour == hour).reduce((sum, row) => sum + row.attempts, 0)))) : null;
	});
}

function table(rows) {
	const counts = rows.flatMap((row) => row || []), least = Math.min(...counts), most = Math.max(...counts);
	return el('div', { 'class': 'fw-heatbox' }, [
		el('table', { 'class': 'fw-heat', 'data-chart': 'heat' }, [
			el('thead', {}, el('tr', {}, [ el('td') ].concat(HOURS.map((hour) => el('th', { scope: 'col' }, hour % 6 == 0 ? String(hour) : null))))),
			el('tbody', {}, rows.map((row, weekday) => el('tr', {}, [ el('th', { scope: 'row' }, text.weekdayName(weekday)) ].concat(HOURS.map((hour) => {
				const count = row ? row[hour] : null, title = '%s %s: %s'.format(text.weekdayName(weekday), text.hour(hour), text.mean(count));
				return el('td', { title: title, 'aria-label': title, 'data-value': count == null ? null : String(count), style: count == null ? null : '--heat: %s%%'.format(most > least ? Math.round((count - least) / (most - least) * 100) : 50) });
			})))))
		]),
		el('p', { 'class': 'fw-soft' }, _('The median of the last %s weeks: from %s attempts in the lightest hour to %s in the darkest.').format(WEEKS, text.mean(least), text.mean(most)))
	]);
}

return baseclass.extend({
	/* Asked for when it is unfolded: a question for each of the days, all in one request. */
	folded: (today) => {
		let asked = false;
		const box = el('div'), details = page.fold('heat', _('Hours by day of the week'), box, { 'class': 'fw-heatfold' });
		details.addEventListener('toggle', () => {
			if (asked || !details.open) return;
			asked = true;
			/* Today is not over: its later hours would count as none. */
			const dates = [ ...Array(WEEKS * 7).keys() ].map((back) => text.plusDays(today, -1 - back));
			Promise.all(dates.map((date) => data.ask('hours', { from: date, to: date }).then((answer) => ({ date: date, hours: answer.hours || [] }))))
				.then((days) => {
					const rows = usual(days);
					box.replaceChildren(rows.some((row) => row) ? table(rows) : el('p', { 'class': 'fw-empty' }, _('There is nothing to show.')));
				})
				.catch((error) => {
					asked = false;
					box.replaceChildren(page.notice('wrong', words.of(error.message)));
				});
		});
		return details;
	}
});
