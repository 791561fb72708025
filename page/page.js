// The page is in English, whatever the browser speaks: Gradio writes the browser's language into the page, and a screen
// reader would read our English with that language's sounds.
(() => {
    const root = document.documentElement;
    const english = () => { if (root.lang !== 'en') root.lang = 'en'; };
    new MutationObserver(english).observe(root, {attributes: true, attributeFilter: ['lang']});
    english();
})();
