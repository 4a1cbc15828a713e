/** Who a visitor of an app is, as the app is told. */
export interface Identity {
  /** Never changes, and is never another person's. */
  id: string;
  email: string;
  name: string;
  groups: readonly string[];
}

/** The headers by which an app is told who its visitor is, and where Streamlit puts them in `st.user`. */
export const IDENTITY_HEADERS = {
  'x-streamlit-host-email': 'email',
  'x-streamlit-host-name': 'name',
  'x-streamlit-host-groups': 'groups',
  'x-streamlit-host-id': 'sub',
} as const;

/** Returns the headers for a visitor; a name that no header can hold is left out. */
export function identityHeaders({ id, email, name, groups }: Identity): Record<string, string> {
  return {
    'x-streamlit-host-email': email,
    'x-streamlit-host-groups': groups.join(','),
    'x-streamlit-host-id': id,
    // Streamlit reads headers as Latin-1 (https://www.rfc-editor.org/rfc/rfc9110#section-5.5).
    ...(/^[\x20-\x7e\xa0-\xff]+$/.test(name) ? { 'x-streamlit-host-name': name } : {}),
  };
}

/** Returns whether secrets name a login of the app's own, whose `st.user` must not be written over. */
export function hasOwnLogin(secretsToml: string): boolean {
  return /^\s*\[\s*auth\s*[\].]|^\s*auth\s*[.=]/m.test(secretsToml);
}
