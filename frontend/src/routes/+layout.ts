// A single-page application: everything is loaded in the browser, from the API.
export const ssr = false;
export const prerender = false;
