"""Operations on a definition: addresses kept from another one, or taken away and given anew."""
