// The page is in English, whatever the browser speaks: Gradio writes the browser's language into the page, and a screen
// reader would read our English with that language's sounds.
(() => {
    const root = document.documentElement;
    const english = () => { if (root.lang !== 'en') root.lang = 'en'; };
    new MutationObserver(english).observe(root, {attributes: true, attributeFilter: ['lang']});
    english();
})();

// The first stop of the Tab key leads past clip, model and controls to the result on screen, which is looked up when the
// link is followed. Gradio brings this script in before or after the page is read.
(() => {
    const link = Object.assign(document.createElement('a'), {id: 'skip', href: '#main', textContent: 'Skip to the result'});
    link.addEventListener('click', (event) => {
        event.preventDefault();
        const status = document.getElementById(`status-${window.ism.shared.technique}`);
        const place = status || document.getElementById('view-start');
        place.setAttribute('tabindex', '-1');
        place.focus();
        place.scrollIntoView({block: 'start'});
    });
    const lay = () => document.body.prepend(link);
    if (document.body) lay(); else document.addEventListener('DOMContentLoaded', lay);
})();
