// Keeps the page current: asks for it again and exchanges what differs. Without JavaScript it reloads itself.
'use strict';
const note = document.getElementById('live');
let since = null;

async function refresh() {
	if (document.hidden)
		return;
	try {
		const answer = await fetch('./', {headers: {Accept: 'text/html'}, cache: 'no-store'});
		if (!answer.ok)
			throw new Error(answer.status);
		const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
		for (const old of document.querySelectorAll('[data-live]')) {
			const now = next.getElementById(old.id);
			if (now && now.innerHTML !== old.innerHTML)
				old.replaceChildren(...now.childNodes);
		}
		document.title = next.title;
		if (since)
			note.textContent = 'Connected again.';
		since = null;
	} catch (error) {
		if (!since) {
			since = new Date();
			note.textContent = 'No answer since ' + since.toLocaleTimeString() + '; the numbers are of then.';
		}
	}
}

setInterval(refresh, 5000);
document.addEventListener('visibilitychange', refresh);
