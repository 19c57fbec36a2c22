"""What firmware and guest see."""
