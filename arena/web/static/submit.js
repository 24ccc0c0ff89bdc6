// The page for sending a bot: in words, or as a program.

import { promptForm, uploadForm } from "./forms.js";

promptForm();
uploadForm();
