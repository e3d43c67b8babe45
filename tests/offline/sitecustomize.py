"""What Python runs first in every child process of the tests: no network there either."""

from gifthorse.jobs.offline import no_network

no_network()
