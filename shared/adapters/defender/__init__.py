"""Microsoft Defender for Cloud through Resource Manager."""
