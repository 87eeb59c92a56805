'use strict';
'require baseclass';

/* Numbers, dates, addresses and services as text of the reader's language. Keeps nothing but the mask switch. */

const language = document.documentElement.lang || 'en';
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
const form = (options) => new Intl.DateTimeFormat(language, Object.assign({ timeZone: 'UTC' }, options));
const dayForm = form({ year: 'numeric', month: 'short', day: 'numeric' });
const shortDayForm = form({ month: 'short', day: 'numeric' });
const weekdayForm = form({ weekday: 'short', month: 'short', day: 'numeric' });
const weekdayNameForm = form({ weekday: 'short' });
const monthForm = form({ year: 'numeric', month: 'short' });
const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const momentForm = form(Object.assign({ month: 'short', day: 'numeric' }, TIME));
const yearMomentForm = form(Object.assign({ year: 'numeric', month: 'short', day: 'numeric' }, TIME));
const clockForm = new Intl.DateTimeFormat(language, TIME);
let masked = false;

function utc(date) {
	const match = /^(\d{4})-(\d\d)-?(\d\d)?/.exec(date || '');
	return match ? new Date(Date.UTC(+match[1], +match[2] - 1, +(match[3] || 1))) : null;
}

return baseclass.extend({
	language: language,

	number: (value) => value == null ? '–' : whole.format(value),
	/* A mean: with digits after the point where it is small. */
	mean: (value) => value == null ? '–' : (value < 10 ? precise : whole).format(value),
	ratio: (value) => value == null ? '–' : '×' + precise.format(value),
	share: (part, all) => all > 0 ? percent.format(part / all) : '–',
	bytes: (value) => value == null ? '–' : value < 10240 ? '%s B'.format(whole.format(value)) : '%s KB'.format(whole.format(value / 1024)),

	day: (date) => utc(date) ? dayForm.format(utc(date)) : String(date || '–'),
	shortDay: (date) => utc(date) ? shortDayForm.format(utc(date)) : String(date || '–'),
	weekday: (date) => utc(date) ? weekdayForm.format(utc(date)) : String(date || '–'),
	month: (month) => utc(month) ? monthForm.format(utc(month)) : String(month || '–'),
	/* The time of day in the browser's zone. */
	clock: (date) => clockForm.format(date),
	/*
	 * An instant as the router's own clock showed it, with its year unless it is this one; other text stays as it is.
	 * Of months and days that are kept without hours only the date is known: the daemon gives it alone, or as midnight.
	 */
	moment: (instant) => {
		const match = /^(\d{4})(-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d))?/.exec(instant || '');
		if (!match) return String(instant || '–');
		if (!match[3] || match[3] == '00:00:00') return dayForm.format(utc(match[1] + match[2]));
		return (+match[1] == new Date().getFullYear() ? momentForm : yearMomentForm).format(new Date(match[1] + match[2] + 'T' + match[3] + 'Z'));
	},
	hour: (hour) => '%s:00'.format(hour < 10 ? '0' + hour : hour),

	/* 0 for Monday to 6 for Sunday; and its name. */
	weekdayOf: (date) => (utc(date).getUTCDay() + 6) % 7,
	weekdayName: (weekday) => weekdayNameForm.format(new Date(Date.UTC(2024, 0, 1 + weekday))),

	/* A day that is so many days after another, as YYYY-MM-DD. */
	plusDays: (date, days) => {
		const day = utc(date);
		/* What is no date the daemon refuses, with words for it. */
		if (!day) return date;
		day.setUTCDate(day.getUTCDate() + days);
		return day.toISOString().slice(0, 10);
	},
	lastOfMonth: (month) => {
		const day = utc(month);
		return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).toISOString().slice(0, 10);
	},
	/* How long until an instant, in words. */
	until: (instant) => {
		const seconds = Math.max(0, Math.round((Date.parse(instant) - Date.now()) / 1000));
		if (isNaN(seconds)) return '–';
		const [amount, unit] = seconds < 90 ? [seconds, 'second'] : seconds < 5400 ? [Math.round(seconds / 60), 'minute']
			: seconds < 129600 ? [Math.round(seconds / 3600), 'hour'] : [Math.round(seconds / 86400), 'day'];
		return new Intl.NumberFormat(language, { style: 'unit', unit: unit, unitDisplay: 'long' }).format(amount);
	},

	/* `TCP 23`, `ICMP` */
	service: (row) => row.protocol.toUpperCase() + (row.port == null ? '' : ' ' + row.port),
	/* `UDP 1900 (SSDP)` */
	namedService: function(row) {
		return row.name && row.name.toUpperCase() != row.protocol.toUpperCase() ? '%s (%s)'.format(this.service(row), row.name) : this.service(row);
	},
	country: (code) => {
		if (!/^[A-Z]{2}$/.test(code || '')) return code ? _('Unknown') : '–';
		try {
			return new Intl.DisplayNames([language], { type: 'region' }).of(code);
		} catch (error) {
			return code;
		}
	},

	/* Different sources; ~ where they are estimated. */
	sources: (row) => row.unique_sources == null ? '–' : (row.unique_sources_error ? '~' : '') + whole.format(row.unique_sources),
	setMask: (on) => { masked = !!on; },
	/* An address as it may be shown. */
	address: (address) => {
		address = String(address == null ? '–' : address);
		if (!masked) return address;
		const four = /^(\d+\.\d+)\.\d+\.\d+/.exec(address), six = /^([0-9a-f]*:[0-9a-f]*):/i.exec(address);
		return four ? four[1] + '.x.x' : six ? six[1] + ':x::' : address;
	},
	/* A log line as it may be shown: every address in it is masked. */
	line: (line) => masked ? String(line)
		.replace(/\b(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}\b/g, '$1.x.x')
		.replace(/\b([0-9a-f]{1,4}:[0-9a-f]{0,4}):[0-9a-f:]+/gi, '$1:x::') : String(line)
});
