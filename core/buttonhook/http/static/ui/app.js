// What pages get beyond plain HTML. Everything they do works without this, but for live updates.
import { followTimes } from "./times.js";
import { followMenus, followDialogs, followKeys, followCopies } from "./parts.js";
import { followPicks } from "./picks.js";
import { followRuns } from "./runs.js";
import { followAsks } from "./asks.js";
import { followResults } from "./results.js";
import { followOptions } from "./options.js";
import { followDashboard } from "./dashboard.js";
import { followCharts } from "./charts.js";
import { followSwitches } from "./switches.js";
import { followParts } from "./follow.js";
import { takeSetUpCode } from "./setup.js";

followTimes(document);
followMenus();
followDialogs();
followKeys();
followCopies();
followPicks();
followRuns();
followOptions();
followCharts();
followAsks();
followResults();
followSwitches();
followDashboard();
followParts();
takeSetUpCode();
