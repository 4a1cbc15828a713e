import { favourites } from './favourites.js';
import { filters } from './filter.js';

favourites();
filters(document);
