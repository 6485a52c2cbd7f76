"""`python -m calibration_service`, in the folder examples: the server, on 127.0.0.1."""

from calibration_service.server import main

main()
