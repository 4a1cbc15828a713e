// In every page of an app, before all other scripts: what a tab asks for goes to the release that its page belongs to, however
// the address is written. Streamlit does that for its own requests; Markdown, `st.html`, frames with HTML of the app's own and
// scripts of components write addresses relative to the page, such as `app/static/logo.png`, and those name no release. Links
// that people copy, on the other hand, name pages, not a release of them.
(() => {
  const script = document.currentScript;
  const { app, release } = script.dataset;
  // A frame's own address (about:srcdoc) says nothing; its base is that of the page.
  const own = `${new URL(document.baseURI).origin}${app}/`;
  const bound = `${own}~${release}/`;
  /** What can be opened by itself and is not a page. */
  const FILES = /^(app\/static|media|component)\/./;
  const ATTRIBUTES = ['src', 'srcset', 'poster', 'data', 'href', 'style', 'srcdoc'];
  const ANY = [...ATTRIBUTES.map((name) => `[${name}]`), 'style'].join();

  /** An address as the browser would open it; undefined if it is none. */
  const whole = (address) => {
    try {
      return new URL(address, document.baseURI).href;
    } catch {
      return undefined; // Its user gets the error.
    }
  };

  /** Without what refers to a place in the document, as SVG does with `url(#clip)`. */
  const page = (url) => url.split('#', 1)[0];

  /** The same address at this release; unchanged where it is bound already, or not the app's. */
  const bind = (address) => {
    const url = whole(address);
    const web = url?.replace(/^ws/, 'http');
    if (web === undefined || !web.startsWith(own)) return address;
    const rest = web.slice(own.length);
    if (/^(~\d|_host\/|$)/.test(rest) || page(web) === page(document.baseURI)) return address;
    return url === web ? bound + rest : bound.replace(/^http/, 'ws') + rest;
  };

  const bindLink = (address) => {
    const url = whole(address) ?? '';
    if (url.startsWith(bound)) return FILES.test(url.slice(bound.length)) ? address : own + url.slice(bound.length);
    return url.startsWith(own) && FILES.test(url.slice(own.length)) ? bind(address) : address;
  };

  const bindStyle = (css) =>
    css.replace(/url\(\s*(["']?)([^"')]+)\1\s*\)/g, (text, _quote, address) => {
      const to = bind(address.trim());
      return to === address.trim() ? text : `url("${to}")`;
    });

  const bindSet = (list) =>
    list.replace(/(^|,\s+|\s,)(\s*)([^\s,]\S*)/g, (_text, before, space, address) => before + space + bind(address));

  const bindAttribute = (element, name, value) => {
    if (name === 'style') return value.includes('url(') ? bindStyle(value) : value;
    if (name === 'srcset') return bindSet(value);
    if (name === 'srcdoc') return value.includes(script.outerHTML) ? value : script.outerHTML + value;
    if (name !== 'href') return bind(value);
    // What other elements name, such as the stylesheet of a component, is loaded and not opened.
    if (element.localName === 'base') return value;
    return ['a', 'area'].includes(element.localName) ? bindLink(value) : bind(value);
  };

  const bindElement = (element) => {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const to = bindAttribute(element, name, value);
      if (to !== value) element.setAttribute(name, to);
    }
    if (element.localName !== 'style' || !element.textContent.includes('url(')) return;
    const to = bindStyle(element.textContent);
    if (to !== element.textContent) element.textContent = to;
  };

  const watch = (root) =>
    new MutationObserver((changes) => {
      for (const { target, addedNodes } of changes) {
        if (target.nodeType === Node.ELEMENT_NODE) bindElement(target);
        for (const node of addedNodes) {
          if (node.nodeType !== Node.ELEMENT_NODE) continue;
          bindElement(node);
          for (const below of node.querySelectorAll(ANY)) bindElement(below);
        }
      }
    }).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ATTRIBUTES });
  watch(document);

  const { attachShadow } = Element.prototype;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    watch(root);
    return root;
  };

  const { fetch } = window;
  window.fetch = (what, options) => {
    if (!(what instanceof Request)) return fetch.call(window, bind(String(what)), options);
    const to = bind(what.url);
    return fetch.call(window, to === what.url ? what : new Request(to, what), options);
  };
  const { open } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    return open.call(this, method, bind(String(address)), ...rest);
  };
  for (const name of ['WebSocket', 'EventSource', 'Worker', 'SharedWorker']) {
    if (window[name] === undefined) continue;
    window[name] = class extends window[name] {
      constructor(address, ...rest) {
        super(bind(String(address)), ...rest);
      }
    };
    Object.defineProperty(window[name], 'name', { value: name });
  }
})();
