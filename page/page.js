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

// Why there is no microphone, under the recorder: Gradio says “No microphone found” whether there is none, the browser has
// been told to give it to nobody here, or the page's address is one that browsers give none to.
(() => {
    const upload = 'or upload a recording instead.';
    const framed = window.self !== window.top ? 'Open this page in a window of its own, or allow' : 'Allow';
    const causes = {
        prompt: 'None is allowed yet: press Record, and allow the microphone when the browser asks.',
        NotAllowedError: `The browser does not let this page use the microphone. ${framed} the microphone in the settings `
            + `beside the page's address (and in those of your system), then load the page again; ${upload}`,
        NotFoundError: `The browser finds no microphone on this device. Connect one, then load the page again; ${upload}`,
        NotReadableError: `The microphone is there but cannot be used: another program may hold it. Close that; ${upload}`,
        insecure: `Browsers give a microphone only to pages at https:// or at localhost, not to ${window.location.origin}: `
            + `open the page there; ${upload}`,
    };
    const say = (cause) => {
        const own = document.getElementById('own');
        let line = document.getElementById('microphone');
        if (!own || (!line && !causes[cause])) return;
        if (!line) {
            line = Object.assign(document.createElement('p'), {id: 'microphone', className: 'quiet'});
            line.setAttribute('role', 'status');
            own.after(line);
        }
        line.textContent = causes[cause] || '';
    };
    const devices = navigator.mediaDevices;
    if (devices && devices.getUserMedia) {
        const asked = devices.getUserMedia.bind(devices);
        devices.getUserMedia = (wanted) => asked(wanted).then(
            (stream) => { say(''); return stream; },
            (refused) => { say(refused.name); throw refused; },
        );
    }
    // Gradio looks at the list of devices first, which is empty where they are refused: then nobody asks any more.
    const state = () => (navigator.permissions ? navigator.permissions.query({name: 'microphone'}) : Promise.reject());
    const look = () => {
        const told = document.getElementById('microphone');
        if (!document.querySelector('#own .record-button') || (told && told.textContent)) return; // who asked knows better
        if (!devices) { say('insecure'); return; }
        const unknown = !document.querySelector('#own select option:not([value=""])');
        state().then((found) => say({denied: 'NotAllowedError', prompt: unknown && 'prompt'}[found.state]),
                     () => {}); // a browser that cannot tell asks when the recording begins
    };
    document.addEventListener('click', (event) => {
        if (event.target.closest && event.target.closest('#own')) setTimeout(look, 300);
    });
})();
