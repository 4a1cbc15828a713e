import { describe, expect, it } from 'vitest';
import { beyond, chosen, optionsIn, optionVariables } from '../../../../src/domain/streamlit/options.js';

const LIMITS = { uploadMb: 1_000, messageMb: 300 };

describe('the Streamlit options of an app', () => {
  it('are read from its files, the later ones first, and from its config vars before these', () => {
    const files = [
      '[server]\nmaxUploadSize = 20\nmaxMessageSize = 50\n',
      '[server]\nmaxMessageSize = 80\n[client]\ntoolbarMode = "minimal"',
    ];
    expect(optionsIn(files)).toEqual({ maxUploadMb: 20, maxMessageMb: 80, toolbarMode: 'minimal' });
    expect(chosen(optionsIn(files), { STREAMLIT_SERVER_MAX_UPLOAD_SIZE: ' 700 ', OTHER: '1' })).toEqual({
      maxUploadMb: 700,
      maxMessageMb: 80,
      toolbarMode: 'minimal',
    });
  });

  it('are ignored if they cannot be read or are invalid', () => {
    expect(optionsIn(['[server\n'])).toEqual({});
    expect(
      optionsIn(['server = 1', '[server]\nmaxUploadSize = -1\nmaxMessageSize = "x"\n[client]\ntoolbarMode = 5']),
    ).toEqual({});
    expect(
      chosen(undefined, { STREAMLIT_SERVER_MAX_UPLOAD_SIZE: '1e3', STREAMLIT_CLIENT_TOOLBAR_MODE: 'none' }),
    ).toEqual({});
  });

  it('stay within the server limits, and default to those of Streamlit', () => {
    expect(optionVariables({}, LIMITS)).toEqual({
      STREAMLIT_SERVER_MAX_UPLOAD_SIZE: '200',
      STREAMLIT_SERVER_MAX_MESSAGE_SIZE: '200',
      STREAMLIT_CLIENT_TOOLBAR_MODE: 'viewer',
    });
    const options = { maxUploadMb: 20, maxMessageMb: 5_000, toolbarMode: 'developer' } as const;
    expect(optionVariables(options, LIMITS)).toEqual({
      STREAMLIT_SERVER_MAX_UPLOAD_SIZE: '20',
      STREAMLIT_SERVER_MAX_MESSAGE_SIZE: '300',
      STREAMLIT_CLIENT_TOOLBAR_MODE: 'developer',
    });
    expect(beyond(options, LIMITS)).toEqual([
      'server.maxMessageSize is 5000 MB, but this server allows 300 MB. The app runs with 300 MB.',
    ]);
    expect(optionVariables({}, { uploadMb: 50, messageMb: 300 }).STREAMLIT_SERVER_MAX_UPLOAD_SIZE).toBe('50');
  });
});
