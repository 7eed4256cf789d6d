"""What a farm run will take, foretold before it begins.

It stands on the records of this machine (what stages take, how they grow, their course over the shot), on what ``farm
check`` found on the site (its workers alone and together, queue, start-up, dispatch, storage), and where neither
says, on named assumptions (``farm_assumptions.toml``). All that is not known is drawn many times; in every draw the
run happens once in ``bench.project.model.farm``. Nothing here is measured.
"""

from bench.farm.forecast.document import project
from bench.farm.forecast.facts import Here, Known, NodeFacts, SiteFacts, site_facts
from bench.farm.forecast.of_site import facts_of, project_on

__all__ = ["Here", "Known", "NodeFacts", "SiteFacts", "facts_of", "project", "project_on", "site_facts"]
